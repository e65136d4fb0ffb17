import pytest

from benchmarks.limit import H200, Cpu, Gpu, Work, calibrated_cpu, machine_of

WORK = Work(bytes=1200, exponentials=10, reciprocals=50, additions=100, multiplications=200)


def test_a_gpu_issues_every_instruction_and_has_few_special_lanes():
    gpu = Gpu(multiprocessors=2, clock_hz=10.0, bytes_per_s=100.0, lanes=4, special_lanes=1)
    assert gpu.seconds(WORK) == {
        'memory': 12.0,
        'special': 60 / 20,
        'arithmetic': 360 / 80,
    }


def test_a_cpu_makes_special_functions_of_multiply_adds():
    cpu = Cpu(multiply_adds_per_s=10.0, bytes_per_s=100.0)
    assert cpu.seconds(WORK) == {'memory': 12.0, 'arithmetic': (200 + 3 * 50 + 8 * 10) / 10}


def test_h200_has_the_datasheet_rate_of_float32():
    # 67 TFLOP/s, two a multiply-add.
    assert 2 * H200.multiprocessors * H200.lanes * H200.clock_hz == pytest.approx(67e12, rel=0.01)


def test_calibration_gives_positive_rates():
    cpu = calibrated_cpu.__wrapped__(images=1, elements=1 << 10, repeats=1)
    assert cpu.multiply_adds_per_s > 0
    assert cpu.bytes_per_s > 0


def test_machine_of_a_cpu_is_calibrated_once():
    assert machine_of('cpu') is machine_of('cpu')
