"""Writing files atomically, and removing the files that a new one replaces."""

from __future__ import annotations

import errno
import itertools
import multiprocessing
import os
import resource
import stat

import pytest
import torch
from mmengine.fileio import FileClient, LocalBackend, get_file_backend, register_backend

from mmdet_kdrank.hooks import AtomicBackend
from mmdet_kdrank.hooks.resilience.file_backends import LaterRemovals
from tests.runners import Act, Mean, make_runner, terminate, train, validation

SIZE = 4_000_000


def write_until_killed(path, told):
    for number in itertools.count():
        AtomicBackend().put(bytes([number % 256]) * SIZE, path)
        told.send(number)


@pytest.fixture
def small_files():
    """A limit of 1,000 bytes a file: the next write fails half-way, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_is_found_by_its_name(tmp_path):
    backend = get_file_backend(str(tmp_path), backend_args=dict(backend='atomic'))
    assert type(backend) is AtomicBackend


def test_writes_and_replaces(tmp_path):
    path = tmp_path / 'new' / 'file'
    backend = AtomicBackend()
    backend.put(b'one', path)
    backend.put_text('zwei ü', str(path))
    assert path.read_text('utf-8') == 'zwei ü'
    assert os.listdir(path.parent) == ['file']


@pytest.mark.parametrize('before', [None, b'good'])
def test_a_failed_write_leaves_what_was_there_and_names_the_file(tmp_path, small_files, before):
    path = tmp_path / 'epoch_1.pth'
    if before:
        path.write_bytes(before)
    small_files()
    with pytest.raises(OSError, match=r'epoch_1\.pth, 2,000 bytes, cannot be written') as caught:
        AtomicBackend().put(bytes(2000), path)
    assert caught.value.errno == errno.EFBIG
    assert 'An existing file of this name is unchanged' in str(caught.value)
    assert os.listdir(tmp_path) == (['epoch_1.pth'] if before else [])
    assert not before or path.read_bytes() == before


@pytest.mark.parametrize('refusal', ['open', 'fsync'])
def test_a_folder_that_cannot_be_synced_is_told_and_fails_nothing(tmp_path, monkeypatch, refusal):
    """Network file systems may refuse it, and a folder may be written but not read."""
    genuine = getattr(os, refusal)

    def refuse(target, *args, **kwargs):
        # Of a path or of a descriptor.
        if stat.S_ISDIR(os.stat(target).st_mode):
            raise OSError(errno.EINVAL, 'Invalid argument')
        return genuine(target, *args, **kwargs)

    told = []
    monkeypatch.setattr(os, refusal, refuse)
    monkeypatch.setattr(
        'mmdet_kdrank.hooks.resilience.file_backends.print_log',
        lambda text, **kwargs: told.append(text),
    )
    AtomicBackend().put(b'new', tmp_path / 'file')
    assert (tmp_path / 'file').read_bytes() == b'new'
    assert len(told) == 1 and f'{tmp_path} cannot be synced (Invalid argument)' in told[0]


def test_killed_at_any_time_the_file_is_whole(tmp_path):
    path = tmp_path / 'file'
    fork = multiprocessing.get_context('fork')
    for writes in range(1, 6):
        told, tell = fork.Pipe(duplex=False)
        process = fork.Process(target=write_until_killed, args=(path, tell))
        process.start()
        for _ in range(writes):
            last = told.recv()
        process.kill()
        process.join()
        content = path.read_bytes()
        assert len(content) == SIZE
        assert len(set(content)) == 1
        # The next write may have come through before it could be told.
        assert content[0] >= last


EPOCHS = 3
BEST = dict(save_best='score', rule='greater')


def run(work_dir, *hooks, epochs=EPOCHS, resume=False, validated=True, **checkpoint):
    return train(
        make_runner(
            Mean(),
            work_dir,
            hooks,
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            default_hooks=dict(
                checkpoint=dict(type='SafeCheckpointHook', interval=1, **checkpoint)
            ),
            resume=resume,
            **(validation() if validated else {}),
        )
    )


def files(work_dir):
    return sorted(name for name in os.listdir(work_dir) if name.endswith('.pth'))


def spoil(runner):
    runner.model.weight.data.fill_(float('nan'))


@pytest.mark.parametrize('kept', [1, 2])
def test_as_many_as_asked_for_are_kept(tmp_path, kept):
    run(tmp_path, max_keep_ckpts=kept, **BEST)
    numbered = [f'epoch_{n}.pth' for n in range(EPOCHS - kept + 1, EPOCHS + 1)]
    assert files(tmp_path) == ['best_score_epoch_3.pth', *numbered]


@pytest.mark.parametrize('kept', [1, 2])
def test_the_oldest_is_there_until_the_new_one_is(tmp_path, kept):
    with pytest.raises(FloatingPointError, match='this checkpoint is not written'):
        run(tmp_path, Act('before_train_epoch', spoil, 3), max_keep_ckpts=kept)
    expected = [f'epoch_{n}.pth' for n in range(3 - kept, 3)]
    assert files(tmp_path) == expected
    run(tmp_path, resume=True, max_keep_ckpts=kept)
    assert files(tmp_path) == [f'epoch_{n}.pth' for n in range(EPOCHS - kept + 1, EPOCHS + 1)]


def test_the_best_is_there_until_the_better_one_is(tmp_path):
    # After the second epoch's checkpoint, before the second best.
    with pytest.raises(FloatingPointError):
        run(tmp_path, Act('before_val', spoil, 2), **BEST)
    assert files(tmp_path) == ['best_score_epoch_1.pth', 'epoch_1.pth', 'epoch_2.pth']


def test_a_best_of_several_measures(tmp_path):
    several = dict(save_best=['score', 'other'], rule='greater')

    def add_other(runner):
        measure = runner.val_loop.evaluator.metrics[0].compute_metrics
        runner.val_loop.evaluator.metrics[0].compute_metrics = lambda results: dict(
            measure(results), other=0
        )

    run(tmp_path, Act('before_train', add_other), max_keep_ckpts=1, **several)
    best = ['best_other_epoch_1.pth', 'best_score_epoch_3.pth']
    assert files(tmp_path) == [*best, 'epoch_3.pth']


def test_a_best_that_is_written_to_its_own_name(tmp_path):
    """By epochs in a loop of iterations all are of epoch 0."""
    train(
        make_runner(
            Mean(),
            tmp_path,
            train_cfg=dict(by_epoch=False, max_iters=4, val_interval=2),
            default_hooks=dict(checkpoint=dict(type='SafeCheckpointHook', **BEST)),
            **validation(),
        )
    )
    assert 'best_score_epoch_0.pth' in files(tmp_path)
    best = torch.load(tmp_path / 'best_score_epoch_0.pth', map_location='cpu')
    assert best['meta']['iter'] == 4


def test_a_removal_that_was_done_by_others(tmp_path):
    later = LaterRemovals(AtomicBackend())
    for name in ('one', 'two', 'three'):
        (tmp_path / name).mkdir() if name == 'three' else (tmp_path / name).write_text(name)
    later.remove(tmp_path / 'one')
    later.remove(str(tmp_path / 'two'))
    later.rmtree(tmp_path / 'three')
    assert later.isfile(tmp_path / 'one') and later.isfile(tmp_path / 'two')
    (tmp_path / 'one').unlink()
    # Another name of the same file.
    later.keep(tmp_path / 'three' / '..' / 'two')
    later.carry_out()
    assert os.listdir(tmp_path) == ['two']
    later.carry_out()


@register_backend('cellar', prefixes='cellar')
class Cellar(LocalBackend):
    """A store under another address: a folder."""

    folder = None

    def __init__(self, **options):
        pass

    def join_path(self, filepath, *filepaths):
        return '/'.join([str(filepath), *filepaths])

    def _place(self, filepath):
        return self.folder / str(filepath).partition('://')[2].replace('/', '_')

    def put(self, obj, filepath):
        self._place(filepath).write_bytes(obj)

    def put_text(self, obj, filepath, encoding='utf-8'):
        self._place(filepath).write_text(obj, encoding)

    def isfile(self, filepath):
        return self._place(filepath).is_file()

    def remove(self, filepath):
        self._place(filepath).unlink()


FileClient.register_backend('cellar', Cellar, prefixes='cellar')


@pytest.mark.parametrize(
    'options', [{}, dict(file_client_args=dict(backend='cellar'))], ids=['backend', 'client']
)
def test_another_storage_has_the_checkpoints_and_the_work_folder_their_name(
    tmp_path, monkeypatch, options
):
    store, work_dir = tmp_path / 'store', tmp_path / 'work'
    store.mkdir()
    monkeypatch.setattr(Cellar, 'folder', store)
    stopping = Act('after_train_iter', terminate, 5)
    with pytest.raises(SystemExit):
        run(work_dir, stopping, out_dir='cellar://shelf', max_keep_ckpts=1, **options)
    assert sorted(os.listdir(store)) == ['shelf_work_epoch_2.pth', 'shelf_work_preempted.pth']
    pointer = work_dir / 'last_checkpoint'
    assert pointer.read_text() == 'cellar://shelf/work/preempted.pth'
    assert not files(work_dir)


def test_fine_tuning_from_a_stopped_run_sees_whole_epochs(tmp_path):
    """`load_from` without `resume` takes the weights alone."""
    with pytest.raises(SystemExit):
        run(tmp_path / 'one', Act('after_train_iter', terminate, 1))
    seen = []
    runner = make_runner(
        Mean(),
        tmp_path / 'two',
        [Act('after_train_iter', lambda runner: seen.append(runner.iter))],
        default_hooks=dict(checkpoint=dict(type='SafeCheckpointHook')),
        load_from=str(tmp_path / 'one' / 'preempted.pth'),
    )
    train(runner)
    assert seen == [0, 1]
