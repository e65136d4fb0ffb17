from mmdet_kdrank.environment.fault import Check, Fault


def test_is_written_in_one_line_with_what_to_do():
    fault = Fault('the disk is full.', '`rm -r work_dirs`.')
    assert str(fault).startswith('the disk is full. ') and str(fault).endswith('`rm -r work_dirs`.')


def test_check_is_a_name_and_a_probe():
    check = Check('disk', lambda facts: Fault('full.', 'make room.') if facts else None)
    assert check.probe({}) is None and check.probe({'full': True})[0] == 'full.'
