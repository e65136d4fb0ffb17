import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from mmdet_kdrank.hooks.resilience.rest_of_epoch import RestOfEpoch


class Drawing(Dataset):
    """Each sample is its index and a random number."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return index, torch.rand(()).item()


def loader(workers):
    return DataLoader(
        Drawing(), 2, num_workers=workers, worker_init_fn=lambda worker: torch.manual_seed(worker)
    )


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('done', [1, 4, 6])
def test_goes_on_as_the_whole_epoch(workers, done):
    """With the random state of the point at which it was left."""
    torch.manual_seed(0)
    batches, states = [], []
    for batch in loader(workers):
        batches.append(batch)
        states.append(torch.get_rng_state())
    torch.manual_seed(99)
    torch.set_rng_state(states[done - 1])
    rest = list(RestOfEpoch(loader(workers), done))
    assert len(rest) == 6 - done
    for (index, drawn), (expected, as_drawn) in zip(rest, batches[done:], strict=True):
        assert torch.equal(index, expected)
        assert torch.equal(drawn, as_drawn)


def test_is_the_loader_otherwise():
    whole = loader(0)
    rest = RestOfEpoch(whole, 2)
    assert len(rest) == len(whole) == 6
    assert rest.dataset is whole.dataset
    assert rest.sampler is whole.sampler
