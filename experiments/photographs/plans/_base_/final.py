# On the test photographs, which no setting was chosen on. The base of faster-rcnn and retinanet.
seeds = 8
baseline = 'kd'
