# The student's: half the width of the teacher's.
_base_ = './shapes_mask_branch.py'
mask_branch = dict(
    roi_head=dict(
        mask_roi_extractor=dict(out_channels=32),
        mask_head=dict(in_channels=32, conv_out_channels=32),
    )
)
