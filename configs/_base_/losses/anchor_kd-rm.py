_base_ = './anchor_kd.py'
# MMRazor's repository has this weight for RetinaNet R101 -> R50, beside its feature imitation:
# configs/distill/rank_mimicing/rm_pgfi_retina_r101_retina_r50_2x_coco.py at commit efbc867.
distill_losses = dict(loss_rm=dict(type='RankMimicLoss', loss_weight=4.0))
