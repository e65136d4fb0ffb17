from experiments.claims.figures.style import colour
from experiments.claims.logits import LogitSet, random_logits
from experiments.claims.terms import all_terms

LOGITS = random_logits(rows=2)


def test_terms_of_one_plot_differ_in_colour():
    for activation in ('softmax', 'sigmoid'):
        logits = LogitSet('set', LOGITS.student, LOGITS.teacher, LOGITS.labels, activation)
        names = [term.name for term in all_terms(logits)]
        assert len({colour(name) for name in names}) == len(names)
