import re
import shutil
import subprocess

import pytest

from vae_zoo.comparison import latex, markdown, read
from vae_zoo.comparison.paper_table import PaperTable, paper_tables
from vae_zoo.comparison.table import Cell, Column

HOSTILE = r"\input{x} & 50% $a_b^c$ #1 ~ {*} [2] | <b> `k` *z* \\ β±"
DOCUMENT = r"\documentclass{article}\usepackage{booktabs}\begin{document}%s\end{document}"


def regularized(runs, name, value):
    return {"regularizer": runs.part("regularizers", name, weight=value)}


def scored(runs, values, n=1000, **model):
    """Runs with seeds 0, 1, … of these ELBOs, whose codes are as far from the prior."""
    for seed, elbo in enumerate(values):
        terms = {"elbo": elbo, "reconstruction": -elbo - 6.0, "kl": 6.0}
        run = runs.write(f"run{len(list(runs.path.glob('*')))}", seed, terms=terms, **model)
        part = runs.part_of_card("yardsticks", {"sliced_wasserstein": (-elbo / 100, 0.01)}, n=n)
        runs.card(run, yardsticks=part)


def tables(path, reference=""):
    return [*paper_tables(read([path], reference))]


def table_of(text):
    """A table with a text in every place."""
    cells = [Cell(text), Cell(text, mark="best")]
    return PaperTable(text, [Column(text), Column(text, True)], [cells], [text])


def test_rows_are_groups_with_means_over_seeds_and_the_best_beyond_noise_in_bold(runs):
    scored(runs, [-10.0, -12.0, -11.0], **regularized(runs, "KL", 1.0))
    scored(runs, [-12.1, -13.9, -13.0], **regularized(runs, "KL", 4.0))
    assert markdown.markdown(tables(runs.path)).splitlines() == [
        "**Digits, Bernoulli: test split at best.ckpt, mean ± standard error over seeds (0, 1, 2); "
        "ELBO, reconstruction, rate in nats; examples: sliced W₂² of 1,000.**",
        "",
        "| regularizer | weight | prior | seeds | ELBO ↑ | reconstruction ↓ | rate "
        "| sliced W₂² ↓ |",
        "| :--- | ---: | :--- | ---: | ---: | ---: | ---: | ---: |",
        "| KL | 1 | StandardNormal | 3 | **−11.00 ± 0.58** | 5.00 ± 0.58 | 6.00 ± 0.00 "
        "| **0.110 ± 0.006** |",
        "| KL | 4 | StandardNormal | 3 | −13.00 ± 0.52 | 7.00 ± 0.52 | 6.00 ± 0.00 "
        "| 0.130 ± 0.005 |",
        "",
        "Bold: better than every other group beyond noise (paired over seeds, p \\< 0.05 after "
        "Holm).",
    ]


def test_nothing_is_bold_within_noise(runs):
    scored(runs, [-10.0, -12.0, -11.0], **regularized(runs, "KL", 1.0))
    scored(runs, [-11.0, -11.5, -11.5], **regularized(runs, "KL", 4.0))
    [table] = tables(runs.path)
    assert not [cell for row in table.rows for cell in row if cell.mark]
    assert table.notes == ["No group is better than every other one beyond noise."]
    assert r"\textbf" not in latex.latex([table])


def test_fewer_than_three_seeds_are_said_to_judge_nothing(runs):
    scored(runs, [-10.0], **regularized(runs, "KL", 1.0))
    scored(runs, [-20.0], **regularized(runs, "KL", 4.0))
    [table] = tables(runs.path)
    assert table.notes == [
        "Fewer than 3 seeds in common: no difference can be judged.",
        "Of a single seed, ELBO, reconstruction and rate have no standard error.",
        "That of sliced W₂² is over examples.",
    ]
    assert [row[-1].text for row in table.rows] == ["0.100 ± 0.010", "0.200 ± 0.010"]


def test_numbers_of_another_setting_are_marked_and_never_the_best(runs):
    scored(runs, [-10.0, -12.0, -11.0], **regularized(runs, "KL", 1.0))
    scored(runs, [-12.1, -13.9, -13.0], **regularized(runs, "KL", 4.0))
    scored(runs, [-1.0, -1.1, -1.2], n=500, **regularized(runs, "KL", 8.0))
    [table] = tables(runs.path)
    cells = {row[1].text: row[-1] for row in table.rows}
    assert cells["8"].text.endswith("†")
    assert (cells["8"].mark, cells["1"].mark) == ("", "best")
    assert "† sliced W₂² of KL β=8: not comparable, 500 examples, not 1,000 examples." in (
        table.notes
    )


def test_a_reference_without_a_number_leaves_the_others_comparable(runs):
    point = runs.part("posteriors", "Deterministic")
    for seed in range(3):
        runs.write(f"point{seed}", seed, posterior=point, terms={"reconstruction": 9.0})
    scored(runs, [-10.0, -12.0, -11.0], **regularized(runs, "MMD", 1.0))
    scored(runs, [-12.1, -13.9, -13.0], **regularized(runs, "MMD", 4.0))
    [table] = tables(runs.path)
    assert not [cell for row in table.rows for cell in row if "†" in cell.text]
    absent = next(row for row in table.rows if row[0].text == "KL")
    assert [cell.text for cell in absent[-4:]] == ["–", "9.00 ± 0.00", "–", "–"]
    assert "– no density: the posterior is deterministic." in table.notes


def test_each_section_has_a_table_of_its_own(runs):
    runs.write("a")
    runs.write("b", data=runs.part("data", "MNIST", batch_size=64))
    text = markdown.markdown(tables(runs.path))
    assert text.count("\n| :--- |") == 2
    assert "**MNIST, Bernoulli: " in text
    assert latex.latex(tables(runs.path)).count(r"\begin{table}") == 2


def test_what_differs_is_in_columns_so_that_rows_can_be_told_apart(runs):
    runs.write("a", latent_dim=2)
    runs.write("b", latent_dim=16)
    [table] = tables(runs.path)
    assert [column.name for column in table.columns][:5] == (
        ["regularizer", "weight", "prior", "latent_dim", "seeds"]
    )
    assert "& latent\\_dim &" in latex.latex([table])
    assert "| latent\\_dim |" in markdown.markdown([table])


def test_latex_has_the_rules_of_booktabs_and_an_ampersand_between_cells(zoo):
    lines = latex.latex(tables(zoo)).splitlines()
    assert lines[:3] == [r"% \usepackage{booktabs}", r"\begin{table}", r"\centering"]
    assert lines[3].startswith(r"\caption{Digits, Bernoulli: test split at best.ckpt, mean $\pm$ ")
    assert lines[4] == r"\begin{tabular}{lrlrrrrrrrrr}"
    rows = [line for line in lines if line.endswith(r" \\")]
    assert len(rows) == 7
    assert {row.count(" & ") for row in rows} == {11}
    assert [line for line in lines if "rule" in line] == [r"\toprule", r"\midrule", r"\bottomrule"]
    assert rows[0].startswith(r"regularizer & weight & prior & seeds & ELBO $\uparrow$ & ")
    assert r"KL(q(z)$\Vert$p) $\downarrow$" in rows[0]


def test_numbers_of_latex_are_those_of_the_groups(zoo):
    group = next(g for g in read([zoo]).sections[0].groups if g.name == "KL β=4")
    elbo = group.estimate("elbo")
    assert f"$-${-elbo.mean:.2f} $\\pm$ {elbo.error:.2f} &" in latex.latex(tables(zoo))


def test_every_special_character_of_latex_is_escaped():
    assert latex.escape(r"a_b & 5% #1 {x} $ ~ ^ \y") == (
        r"a\_b \& 5\% \#1 \{x\} \$ \textasciitilde{} \textasciicircum{} \textbackslash{}y"
    )
    assert latex.escape("β=4 λ=−1 ± 2·10⁻⁴ W₂² ‖ ↑ – <|>") == (
        r"$\beta$=4 $\lambda$=$-$1 $\pm$ 2$\cdot$10$^{-4}$ W$_{2}$$^{2}$ $\Vert$ $\uparrow$ -- "
        r"\textless{}\textbar{}\textgreater{}"
    )


def test_what_follows_a_row_is_not_taken_for_its_options():
    assert latex.escape("[2mm]*\n\nx") == "{[}2mm{]}{*} x"


def test_a_hostile_text_leaves_latex_balanced():
    text = latex.latex([table_of(HOSTILE)])
    bare = re.sub(r"\\[\\{}&%$#_]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert r"\input" not in text
    assert len([line for line in text.splitlines() if line.endswith(r" \\")]) == 2


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(zoo, tmp_path):
    text = latex.latex([*tables(zoo), table_of(HOSTILE), table_of("[3] 1·10⁻⁴ W₂² †")])
    (tmp_path / "paper.tex").write_text(DOCUMENT % f"\n{text}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-1000:]
    assert "Missing character" not in done.stdout


def test_a_hostile_text_is_text_in_markdown():
    lines = markdown.markdown([table_of(HOSTILE)]).splitlines()
    cells = [len(re.findall(r"(?<!\\)\|", line.replace(r"\\", ""))) for line in lines[2:5]]
    assert cells == [3, 3, 3]
    assert markdown.escape("a_b*c|d<e>`f`[g]\nh") == r"a\_b\*c\|d\<e\>\`f\`\[g\] h"
