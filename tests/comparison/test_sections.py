from vae_zoo.comparison import read


def test_runs_of_other_data_or_another_likelihood_are_never_in_one_table(runs):
    runs.write("a")
    runs.write("b", data=runs.part("data", "MNIST", batch_size=64))
    runs.write("c", likelihood=runs.part("likelihoods", "Normal", variance=0.1))
    comparison = read([runs.path])
    headings = [comparison.heading(section) for section in comparison.sections]
    assert headings == ["Digits, Bernoulli", "MNIST, Bernoulli", "Digits, Normal"]


def test_data_that_differ_in_an_option_are_told_apart_by_it(runs):
    for name in ("threshold", "none"):
        runs.write(name, data=runs.part("data", "Digits", batch_size=64, binarization=name))
    comparison = read([runs.path])
    assert {comparison.heading(section) for section in comparison.sections} == {
        "Digits (binarization threshold), Bernoulli",
        "Digits (binarization none), Bernoulli",
    }


def test_another_batch_size_does_not_forbid_a_comparison(runs):
    for size in (64, 128):
        runs.write(str(size), data=runs.part("data", "Digits", batch_size=size))
    [section] = read([runs.path]).sections
    assert section.columns == {"data.batch_size": "batch_size"}


def test_another_variance_of_a_normal_does_not_forbid_a_comparison(runs):
    for variance in (0.1, 1.0):
        normal = runs.part("likelihoods", "Normal", variance=variance)
        runs.write(str(variance), likelihood=normal)
    [section] = read([runs.path]).sections
    assert section.columns == {"model.likelihood.variance": "likelihood variance"}


def test_columns_are_what_differs_beside_regularizer_weight_and_prior(runs):
    mmd = runs.part("regularizers", "MMD", weight=10.0, kernel="imq", scales=[1.0])
    mixture = runs.part("priors", "MixtureOfNormals", components=10)
    runs.write("a", latent_dim=8)
    runs.write("b", latent_dim=16)
    runs.write("c", regularizer=mmd, prior=mixture)
    runs.write("d", condition=runs.part("conditions", "OneHot", classes=10))
    [section] = read([runs.path]).sections
    assert list(section.columns.values()) == ["latent_dim", "condition"]
    assert section.differs_in == ["regularizer", "weight", "prior", "latent_dim", "condition"]


def test_options_of_one_class_are_a_column_where_they_differ(runs):
    for kernel in ("imq", "gaussian"):
        mmd = runs.part("regularizers", "MMD", weight=10.0, kernel=kernel)
        runs.write(kernel, regularizer=mmd)
    runs.write("kl")
    [section] = read([runs.path]).sections
    assert section.columns == {"model.regularizer.kernel": "kernel"}
    kernels = {section.value(group, "model.regularizer.kernel") for group in section.groups}
    assert kernels == {"imq", "gaussian", ""}


def test_columns_of_the_same_name_say_whose_they_are(runs):
    for width in (64, 128):
        network = runs.part("networks", "MLP", hidden=[width, width])
        runs.write(str(width), encoder=network, decoder=network)
    [section] = read([runs.path]).sections
    assert list(section.columns.values()) == ["encoder hidden", "decoder hidden"]
    shown = {section.value(group, "model.encoder.hidden") for group in section.groups}
    assert shown == {"64, 64", "128, 128"}


def test_labels_say_what_most_groups_have_not(runs):
    for i, weight in enumerate((0.5, 1.0)):
        runs.write(str(i), regularizer=runs.part("regularizers", "KL", weight=weight))
    runs.write("wide", latent_dim=16)
    runs.write("mixture", prior=runs.part("priors", "MixtureOfNormals", components=10))
    [section] = read([runs.path]).sections
    assert {section.label(group) for group in section.groups} == {
        "KL β=0.5",
        "KL β=1",
        "KL β=1 · latent_dim 16",
        "KL β=1 · MixtureOfNormals",
    }


def test_classes_of_the_same_name_are_told_apart_by_their_modules(runs):
    for module in ("mine", "theirs"):
        runs.write(module, regularizer={"class_path": f"{module}.Moments", "init_args": {}})
    [section] = read([runs.path]).sections
    labels = {section.label(group) for group in section.groups}
    assert labels == {"Moments · regularizer mine.Moments", "Moments · regularizer theirs.Moments"}


def test_a_wrapped_regularizer_is_named_with_what_it_wraps(runs):
    kl, mmd = (runs.part("regularizers", name, weight=w) for name, w in (("KL", 4.0), ("MMD", 10)))
    runs.write("a", regularizer=runs.part("regularizers", "Annealed", inner=kl, steps=10))
    parts = runs.part("regularizers", "Sum", parts=[kl, mmd], weight=1.0)  # which says nothing
    runs.write("b", regularizer=parts)
    capacity = runs.part("regularizers", "Capacity", inner=kl, nats=5.0, weight=2.0)
    runs.write("d", regularizer=capacity)
    network = runs.part("networks", "MLP", hidden=[64])
    runs.write(
        "c", regularizer=runs.part("regularizers", "Adversarial", weight=2.0, critic=network)
    )
    [section] = read([runs.path]).sections
    names = {(group.configuration.regularizer, group.weight) for group in section.groups}
    assert names == {
        ("Annealed(KL)", "4"),
        ("Sum(KL + MMD)", "4, 10"),
        ("Capacity(KL)", "2, 4"),
        ("Adversarial", "2"),
    }
    assert "Annealed(KL) β=4" in {group.name for group in section.groups}


def test_the_best_elbo_comes_first_and_an_absent_one_last(runs):
    point = runs.part("posteriors", "Deterministic")
    runs.write("a", posterior=point, terms={"reconstruction": 1.0})
    for i, elbo in enumerate((-30.0, -10.0, -20.0)):
        terms = {"elbo": elbo, "reconstruction": 5.0, "kl": -elbo - 5.0}
        runs.write(f"b{i}", latent_dim=i + 1, terms=terms)
    [section] = read([runs.path]).sections
    elbos = [group.estimate("elbo") for group in section.groups]
    assert [elbo and elbo.mean for elbo in elbos] == [-10.0, -20.0, -30.0, None]


def test_the_model_is_told_as_far_as_all_groups_share_it(runs):
    runs.write("a", encoder=runs.part("networks", "MLP"), decoder=runs.part("networks", "Conv"))
    runs.write(
        "b",
        encoder=runs.part("networks", "MLP"),
        decoder=runs.part("networks", "Conv"),
        prior="vae_zoo.priors.VampPrior",
    )
    [section] = read([runs.path]).sections
    assert section.model == "MLP, Conv, 8 latent dimensions"
    runs.write("c", latent_dim=2, decoder=runs.part("networks", "Conv"))
    [section] = read([runs.path]).sections
    assert section.model == "MLP, Conv"
