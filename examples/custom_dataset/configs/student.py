# The stock detector, which is deployed whether it was trained alone or by distilled.py.
_base_ = ['_base_/model.py', '_base_/data.py', '_base_/schedule.py']
