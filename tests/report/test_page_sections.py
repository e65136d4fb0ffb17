from html.parser import HTMLParser

from mmdet_kdrank.report.page_sections import curves_section, results_section

RECORDS = [
    {'step': 20.0, 'loss': 2.0, 'loss_cls': 1.5, 'loss_kd': 0.5, 'time': 0.2},
    {'step': 40.0, 'loss': 1.0, 'loss_cls': 0.7, 'loss_kd': 0.3, 'time': 0.1, 'distill_tau': 0.6},
    {'step': 40.0, 'coco/bbox_mAP': 0.1234, 'coco/bbox_mAP_l': -1.0},
]


class Cells(HTMLParser):
    """The rows of the tables, as lists of texts."""

    def __init__(self, text):
        super().__init__()
        self.rows = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == 'tr':
            self.rows.append([])
        elif tag in ('td', 'th'):
            self.rows[-1].append('')

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def rows(text):
    return {row[0]: row[1:] for row in Cells(text).rows if row}


def test_the_last_validation_stands_beside_that_of_another_run():
    later = [*RECORDS, {'step': 60.0, 'coco/bbox_mAP': 0.3}]
    found = rows(results_section({'one': RECORDS, 'two': later}))
    assert found['coco/bbox_mAP'][:2] == ['0.123', '0.300']
    assert found['iterations'][:2] == ['40', '60']


def test_a_size_without_objects_shows_nothing():
    assert rows(results_section({'one': RECORDS}))['coco/bbox_mAP_l'] == ['']


def test_losses_of_distillation_have_a_plot_of_their_own():
    text = curves_section({'run': RECORDS}, {'loss_kd'})
    assert 'distillation losses: run loss_kd from 0.5 to 0.3.' in text
    assert 'detection losses: run loss_cls from 1.5 to 0.7.' in text
    assert 'agreement with the teacher, in training: run tau' in text
