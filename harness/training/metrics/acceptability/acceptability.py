"""The metrics of acceptability judgements, as a module that `evaluate.load` takes by its path.

`evaluate.load("glue", "cola")` fetches a script from a hub and runs it. This module computes the
same Matthews correlation, and accuracy and F1 besides, from a file that ships with the package.
`evaluate` imports a copy of this file, so nothing here may depend on where it lies.
"""

import warnings

import datasets
import evaluate
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

DESCRIPTION = """\
Agreement of predicted with annotated acceptability (0: unacceptable, 1: acceptable).
"""

INPUTS = """\
Args:
    predictions: predicted class of each sentence, 0 or 1.
    references: annotated class of each sentence, 0 or 1.
Returns:
    matthews_correlation: between -1 and 1; 0 where it is undefined, because either side holds
        one class only.
    accuracy: between 0 and 1.
    f1: of the acceptable class, between 0 and 1; 0 where nothing is, or is called, acceptable.
"""

CITATION = """\
@article{matthews1975comparison,
  title = {Comparison of the predicted and observed secondary structure of {T4} phage lysozyme},
  author = {Matthews, Brian W.},
  journal = {Biochimica et Biophysica Acta (BBA) - Protein Structure},
  volume = {405}, number = {2}, pages = {442--451}, year = {1975}
}
"""


class Acceptability(evaluate.Metric):  # type: ignore[misc]
    """Matthews correlation, accuracy and F1 of the acceptable class."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}
            ),
        )

    def _compute(self, predictions: list[int], references: list[int]) -> dict[str, float]:
        with warnings.catch_warnings():
            # One class on both sides is an answer (0), not a mistake of the caller.
            warnings.filterwarnings("ignore", "A single label was found", UserWarning)
            correlation = matthews_corrcoef(references, predictions)
        return {
            "matthews_correlation": float(correlation),
            "accuracy": float(accuracy_score(references, predictions)),
            "f1": float(f1_score(references, predictions, pos_label=1, zero_division=0)),
        }
