"""The metrics of classified sentences, as a module that `evaluate.load` loads by its path.

`evaluate.load("glue", "cola")` downloads a script from a hub and runs it. This module ships with
the package and computes the same Matthews correlation, and also accuracy and F1.
`evaluate` imports a copy of this file, so nothing here may depend on its location.
"""

import warnings

import datasets
import evaluate
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

DESCRIPTION = """\
Agreement between predicted and annotated classes, such as acceptability (0: unacceptable, 1:
acceptable).
"""

INPUTS = """\
Args:
    predictions: predicted class of each sentence, a number from 0.
    references: annotated class of each sentence.
    average: "binary" (the default) for two classes, or "macro".
Returns:
    matthews_correlation: between -1 and 1; 0 if it is undefined, because predictions or references
        contain only one class. Of more than two classes, it is Gorodkin's R_K (2004).
    accuracy: between 0 and 1.
    f1: with "binary", of class 1, between 0 and 1; 0 if no sentence is of class 1 or none is
        predicted so. With "macro", the mean F1 of the classes that occur.
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
    """Matthews correlation, accuracy and F1."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}
            ),
        )

    def _compute(
        self, predictions: list[int], references: list[int], average: str = "binary"
    ) -> dict[str, float]:
        with warnings.catch_warnings():
            # One class on both sides has a result (0); it is not the caller's mistake.
            warnings.filterwarnings("ignore", "A single label was found", UserWarning)
            correlation = matthews_corrcoef(references, predictions)
        return {
            "matthews_correlation": float(correlation),
            "accuracy": float(accuracy_score(references, predictions)),
            "f1": float(f1_score(references, predictions, average=average, zero_division=0)),
        }
