"""HTML reports, images and plots of finished trainings."""
