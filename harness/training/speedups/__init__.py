"""Exact speed-ups of fine-tuning, each with a name, a plain reference and an equality test.

They do not change the model's function or its gradients, up to rounding. With them, dropout draws
other random numbers of the same distribution (fast-dropout rounds its probability to the nearest
1/65536), so a run with speed-ups is another sample of the same experiment. Each is inactive for
models, settings and machines that it does not support.
"""

COMPILED_LAYERS = "compiled-layers"
"""The layers run as compiled code; needs packing, first-token and fast-dropout, and a compiler."""
COMPILED_OPTIMIZER = "compiled-optimizer"
"""Gradients are clipped in the pass over memory in which compiled code updates the weights."""
FAST_DROPOUT = "fast-dropout"
"""Dropout masks inside the layers are made from 64-bit random words, four decisions per word."""
FIRST_TOKEN = "first-token"  # noqa: S105 - no password
"""The last layer computes only the token that the classification head reads."""
KEPT_MEMORY = "kept-memory"
"""The process keeps freed memory, so that it need not request it from the kernel at every step."""
MEMORY_CHECKPOINT = "memory-checkpoint"
"""The best epoch's weights are kept in memory instead of in a checkpoint folder per epoch."""
PACKING = "packing"
"""The layers' projections and norms process only a batch's real tokens; attention also padding."""
SORTED_EVALUATION = "sorted-evaluation"
"""Evaluation batches hold sentences of similar length; logits are returned in the split's order."""
USED_VOCABULARY = "used-vocabulary"
"""Only the embedding rows of tokens in the data are trained; the others only decay."""
