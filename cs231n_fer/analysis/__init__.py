"""Analysis of trained nets, and two models to compare them with.

    metrics       accuracy, confusion matrix, confidence interval, rank correlation
    calibration   whether a net is right as often as its probabilities say
    frames        the confusion matrix and the accuracy of each class as pandas.DataFrames
    saliency      maps of the pixels that a net reacts to
    linear_svm    a linear SVM on given features
    empath        Gabor filters and principal components, the features of EMPATH's net

To add a measure: write a function of labels, scores or maps in the module of its kind, and its
figure in vis_utils.
"""
