"""Other libraries: their learners in our worlds, our recommenders in their evaluations.

One module a library, each with at most two things: an *adapter*, with which a learner of
theirs competes under our two verbs (`recommend`, `partial_fit`), and a *view*, with which a
recommender of ours runs in an evaluation of theirs. Each needs its library (extra ``peers``)
and is imported by its own name; importing this package imports none of them.

======================  =======================  =================================
module                  adapter                  view
======================  =======================  =================================
``vowpal_wabbit``       `VowpalWabbit`
``coba_experiments``    `Coba`                   `CobaView`, for ``coba.Experiment``
``mab_wiser``           `MabWiser`
``river_bandits``       `River`                  `RiverView`, for ``river.bandit.evaluate_offline``
``bayesian_bandits``    `BayesianBandits`
``contextual_bandits``  `ContextualBandits`
``obp_simulator``                                `ObpView`, for obp's simulator and estimators
======================  =======================  =================================
"""
