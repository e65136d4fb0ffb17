_base_ = ['./_base_/faster_rcnn.py', './_base_/data.py', './_base_/schedule.py']
