import io

import pytest

from bootstrap.progress import BuildProgress, duration


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines(planned, finished=None):
    return [f'[{n}/{planned}] c++ -c x{n}.cpp\n' for n in range(1, (finished or planned) + 1)]


def run(out, total, output):
    progress = BuildProgress(total, out, clock=iter(range(0, 10**6, 10)).__next__)
    for line in output:
        progress.feed(line)
    progress.close()
    return out.getvalue()


def test_off_a_terminal_every_tenth_file_has_a_line():
    text = run(io.StringIO(), 25, ['running build_ext\n', *lines(25), '[oops] not ninja\n'])
    assert [line.split(' files')[0].strip() for line in text.splitlines()] == [
        '[1/25]',
        '[10/25]',
        '[20/25]',
        '[25/25]',
    ]


def test_elapsed_time_is_shown():
    assert '[25/25] files compiled, 4 min 10 s' in run(io.StringIO(), 25, lines(25))


def test_on_a_terminal_one_line_is_rewritten():
    text = run(Terminal(), 3, lines(3))
    assert text.count('\r') == 3
    assert text.count('\n') == 1
    assert text.endswith('[3/3] files compiled, 30 s\n')


def test_resumed_build_counts_what_was_compiled_before():
    text = run(io.StringIO(), 77, lines(40))
    assert text.splitlines()[0].startswith('  [38/77]')
    assert text.splitlines()[-1].startswith('  [77/77]')


def test_more_files_than_expected_are_no_error():
    assert '[4/4]' in run(io.StringIO(), 2, lines(4))


@pytest.mark.parametrize('seconds, text', [(0, '0 s'), (59.9, '59 s'), (60, '1 min 0 s')])
def test_duration(seconds, text):
    assert duration(seconds) == text
