import torch

from cvqn.model.export import export_model
from cvqn.model.cvqn import CVQN
from cvqn.codecs.store import load_model, save_model


def saved(folder, model):
    save_model(folder, model.eval(), export_model(model, torch.rand(2, 3, 32, 32)), {"run": "test"})
    return load_model(folder), (folder / "model.safetensors").stat().st_size


def test_rounded_weights_take_half_the_bytes_and_come_back_as_they_were(tmp_path, model_config):
    model = CVQN(model_config)
    _, full = saved(tmp_path / "full", model)
    for parameter in model.parameters():
        parameter.data = parameter.data.half().float()
    stored, half = saved(tmp_path / "half", model)
    assert half < full - 1.9 * sum(parameter.numel() for parameter in model.parameters())
    for name, tensor in model.state_dict().items():
        assert stored.model.state_dict()[name].dtype == tensor.dtype
        assert torch.equal(stored.model.state_dict()[name], tensor)
