from .data import check_data as check_data
from .likelihoods import check_likelihood as check_likelihood
from .priors import check_prior as check_prior
from .properties import check as check
from .properties import check_in_one_process as check_in_one_process
from .ranks import same_gradient_on_two_processes as same_gradient_on_two_processes
from .verdict import Property as Property
from .verdict import Verdict as Verdict
