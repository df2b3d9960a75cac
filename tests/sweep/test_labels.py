from vae_zoo.sweep.labels import labels


def trial(regularizer, seed, **model):
    return {"model": {"regularizer": regularizer, **model}, "seed_everything": seed, "epochs": 3}


def test_a_label_names_what_differs_and_nothing_else():
    kl = {"class_path": "vae_zoo.regularizers.KL", "init_args": {"weight": 4}}
    mmd = {"class_path": "MMD", "init_args": {"kernel": "imq", "scales": [1, 2]}}
    assert labels([trial(kl, 0), trial(mmd, 0), trial("NoRegularizer", 1)]) == [
        "KL weight=4 seed=0",
        "MMD kernel=imq scales=[1, 2] seed=0",
        "NoRegularizer seed=1",
    ]


def test_equal_names_of_different_parts_are_told_apart():
    a = trial("KL", 0, prior={"init_args": {"weight": 1}}, inner={"init_args": {"weight": 2}})
    b = trial("KL", 0, prior={"init_args": {"weight": 3}}, inner={"init_args": {"weight": 4}})
    assert labels([a, b]) == ["prior.weight=1 inner.weight=2", "prior.weight=3 inner.weight=4"]


def test_dotted_names_are_nested_ones():
    assert labels([{"model.latent_dim": 2}, {"model.latent_dim": 4}]) == [
        "latent_dim=2",
        "latent_dim=4",
    ]


def test_a_single_trial_differs_in_nothing():
    assert labels([trial("KL", 0)]) == [""]


def test_numbers_that_a_search_draws_are_short_and_those_of_a_file_as_they_are():
    trials = [{"weight": 2.9618064611922987}, {"weight": 0.0625}]
    assert labels(trials) == ["weight=2.962", "weight=0.0625"]
