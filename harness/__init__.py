"""A pytest-driven benchmark of fine-tuning pretrained encoders on CoLA."""
