_base_ = ['./_base_/retinanet.py', './_base_/data.py', './_base_/schedule.py']
