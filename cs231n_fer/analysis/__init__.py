"""What a trained net can do (metrics), what it looks at (saliency), and models beside it (linear_svm,
empath).

To add a measure: a function of labels, scores or maps in the module of its kind; its figures go to
vis_utils.
"""
