# The values of the authors' published code for Faster R-CNN on COCO.
distill_losses = dict(loss_dkd=dict(type='DKDLoss', alpha=1.0, beta=0.25, temperature=1.0))
