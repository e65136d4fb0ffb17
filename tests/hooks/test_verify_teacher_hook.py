import pytest
from mmengine.registry import HOOKS

from mmdet_kdrank.errors import StateError
from tests.shapes_runs import CLASSES, save_oracle, shapes_config, train


def run_config(folder):
    teacher = save_oracle(folder / 'teacher.pth', CLASSES, verify=dict(num_images=2))
    return shapes_config(folder, teacher)


def test_without_the_hook_the_run_is_refused_with_the_line_to_add(tmp_path):
    config = run_config(tmp_path)
    line = config.default_hooks.pop('verify_teacher')
    expected = r"default_hooks=dict\(verify_teacher=dict\(type='VerifyTeacherHook'\)\)"
    with pytest.raises(StateError, match=expected):
        train(config)
    assert line == dict(type='VerifyTeacherHook')


def test_the_hook_verifies_before_the_first_iteration(tmp_path):
    runner = train(run_config(tmp_path))
    assert runner.iter == 2
    (log,) = tmp_path.glob('work/*/*.log')
    text = log.read_text()
    assert text.index('The teacher was verified: mAP 1.000') < text.index('Iter(train)')


def test_a_student_without_a_teacher_is_refused(tmp_path):
    config = run_config(tmp_path)
    config.model = config.model.teacher.config
    with pytest.raises(TypeError, match='VerifyTeacherHook'):
        train(config)


def test_the_hook_is_registered():
    assert HOOKS.get('VerifyTeacherHook').__name__ == 'VerifyTeacherHook'


def test_the_config_and_the_tool_may_both_add_the_hook(tmp_path):
    config = run_config(tmp_path)
    config.custom_hooks = [*config.get('custom_hooks', []), dict(type='VerifyTeacherHook')]
    train(config)
    (log,) = tmp_path.glob('work/*/*.log')
    assert log.read_text().count('The teacher was verified') == 1


@pytest.mark.parametrize(('verify', 'warned'), [(None, 1), (False, 0), (True, 0)])
def test_a_teacher_that_was_never_verified_is_told_once_and_the_advice_ends_it(
    tmp_path, verify, warned
):
    config = run_config(tmp_path)
    config.model.teacher.verify = verify
    if not verify:
        del config.default_hooks.verify_teacher
    train(config)
    (log,) = tmp_path.glob('work/*/*.log')
    text = log.read_text()
    assert text.count('was not verified') == text.count('Set model.teacher.verify=True') == warned
