"""A small learned codec for tests: one convolution, rounding, zlib, one convolution back."""

from cvqn.settings import Positive, Settings, TrainingSettings


class Model(Settings):
    channels: Positive = 12


class DummyCodec:
    name, title, has_channels, exact, libraries = "dummy", "Dummy", False, False, ("torch", "numpy")
    model_settings, training_settings = Model, TrainingSettings
    modules = coding_modules = ("dummy_codec", "dummy_codec.network")

    def build(self, model, training):
        return self.load(model, None, "cpu").network

    def load(self, model, tensors, device):
        from dummy_codec.network import Trained

        return Trained(model.channels, tensors, device)


CODEC = DummyCodec()
