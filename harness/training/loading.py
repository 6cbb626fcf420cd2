"""Loads a pretrained encoder from its files, under a new classification head."""

from dataclasses import dataclass

from transformers import PreTrainedModel, PreTrainedTokenizerBase, set_seed

from harness.models.completeness import Weights, load_classifier
from harness.models.configuration import read_configuration, refuse_decoder
from harness.models.pad_token import ensure_pad_token, fix_pad_token
from harness.training.finetune import Settings


@dataclass(frozen=True)
class Loaded:
    """A model that is ready for training, and the origin of its weights."""

    model: PreTrainedModel
    weights: Weights


def load_checkpoint(
    checkpoint_folder: str, tokenizer: PreTrainedTokenizerBase, settings: Settings
) -> Loaded:
    """Load a pretrained encoder under a classification head initialised from the run's seed.

    Always in float32, whatever type the files and the configuration have: `training.precision`
    sets the precision of the computation, and half-precision weights lose AdamW's steps
    (Micikevicius et al., "Mixed Precision Training", 2018, section 3.1).

    Raises:
        BadInput: the encoder would differ from the one in the files; see load_classifier.
    """
    configuration = read_configuration(
        checkpoint_folder,
        num_labels=len(settings.class_names),
        id2label=dict(enumerate(settings.class_names)),
        label2id={name: label for label, name in enumerate(settings.class_names)},
        problem_type="single_label_classification",  # even if fine-tuned for another task
    )
    refuse_decoder(configuration)
    fix_pad_token(configuration, tokenizer)
    set_seed(settings.seed)
    model, weights = load_classifier(checkpoint_folder, configuration)
    ensure_pad_token(tokenizer, model)
    return Loaded(model, weights)
