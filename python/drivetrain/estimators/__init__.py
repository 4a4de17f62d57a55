"""Networks and linear models as scikit-learn estimators, for ``Pipeline`` and ``GridSearchCV``.

They need scikit-learn, which ``pip install 'drivetrain[sklearn]'`` brings, pass its ``check_estimator`` and
take what its estimators take: arrays, sparse matrices, pandas frames, string labels, weights.

==================== ================================================================================
MLPClassifier,       the estimators of ``sklearn.neural_network``, with their arguments; the same steps
MLPRegressor         from the same ``random_state``
LogisticRegression   with an L2 penalty
LinearRegression     least squares
Ridge                least squares with an L2 penalty
Lasso, ElasticNet    with an L1 penalty, and with both
NeuralNetClassifier, any ``nn.Module``, trained with ``drivetrain.train.Trainer``; skorch's names
NeuralNetRegressor
==================== ================================================================================
"""

from .._extras import need

need("drivetrain.estimators", "sklearn", "scikit-learn", "sklearn")

from .lasso import ElasticNet, Lasso  # noqa: E402
from .linear import LinearRegression, Ridge  # noqa: E402
from .logistic import LogisticRegression  # noqa: E402
from .mlp import MLPClassifier, MLPRegressor  # noqa: E402
from .neural_net import NeuralNetClassifier, NeuralNetRegressor  # noqa: E402

__all__ = [
    "ElasticNet",
    "Lasso",
    "LinearRegression",
    "LogisticRegression",
    "MLPClassifier",
    "MLPRegressor",
    "NeuralNetClassifier",
    "NeuralNetRegressor",
    "Ridge",
]
