"""Learned preference groups: per-user statistics in, clusters of users out.

``statistics``: what is kept of a user's feedback; ``bernoulli`` and ``gaussian``: the two
kinds of rewards; ``mixture``: EM, the number of clusters, stable labels; ``starts``: first
guesses; ``concomitant``: what features say of people who have not answered yet;
``kmeans``: the simple rival; ``labels``: from user and item labels to rows and columns.
"""
