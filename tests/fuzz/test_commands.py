"""Wrong inputs to the real command, of every kind."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import test_inputs as inputs
from tests.fuzz.conftest import GIVEN
from tests.fuzz.place import ends_well_alone

KINDS = [
    *[inputs.test_sweep_files, inputs.test_queues, inputs.test_what_is_compared]
    * 4,  # need no torch
    inputs.test_configs_of_a_run_that_is_used,
    inputs.test_checkpoints,
    inputs.test_data_files,
    inputs.test_configs_of_a_fit,
    inputs.test_configs_of_a_run_that_goes_on,
    inputs.test_files_of_data_modules,
]


@pytest.mark.slow
@settings(max_examples=int(GIVEN or 8))
@pytest.mark.usefixtures("place")
@given(data=st.data())
def test_the_real_command(data):
    kind = data.draw(st.sampled_from(KINDS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "ends_well", ends_well_alone)
        kind.hypothesis.inner_test(data)
