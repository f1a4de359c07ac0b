import zlib
from collections import namedtuple

import numpy as np
import torch
from torch import nn

from cvqn.bitstream.errors import CorruptError
from cvqn.codecs.trainable import Trainable
from cvqn.model.ms_ssim import ms_ssim
from cvqn.padding import inside, pad_to_multiple, padded_side

Loss = namedtuple("Loss", "total ms_ssim")


class Forward(namedtuple("Forward", "reconstruction latent symbols")):
    def bpp(self):
        shares = [one.unique(return_counts=True)[1] / one.numel() for one in self.symbols]
        return (
            torch.stack([-(p * p.log2()).sum() * self.symbols[0].numel() for p in shares])
            / self.latent[0, 0].numel()
            / 64
        )


class Network(Trainable):
    stride = 8

    def __init__(self, channels):
        super().__init__()
        self.encoder = nn.Conv2d(3, channels, 8, stride=8)
        self.decoder = nn.ConvTranspose2d(channels, 3, 8, stride=8)

    def forward(self, images):
        latent = 10 * self.encoder(images - 0.5).float()
        symbols = latent.detach().round().clamp(-127, 127)
        return Forward(self.decoder(latent + (symbols - latent).detach()).float() + 0.5, latent, symbols)

    def parameter_groups(self):
        return [{"params": list(self.parameters()), "lr": 2e-3}]

    def loss(self, forward, images):
        total = 500 * (forward.reconstruction - images).square().mean() + forward.latent.abs().mean()
        return Loss(total, ms_ssim(forward.reconstruction.detach(), images).mean())

    def describe(self, forward, loss):
        return {"loss": float(loss.total), "bpp": float(forward.bpp().mean()), "ms_ssim": float(loss.ms_ssim)}


class Trained:
    def __init__(self, channels, tensors, device):
        self.network = Network(channels)
        if tensors is not None:
            self.network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
            self.network.eval().to(device)
        self.device = device

    @torch.inference_mode()
    def encode(self, pictures):
        padded = torch.from_numpy(np.stack([pad_to_multiple(picture, 8) for picture in pictures])).to(self.device)
        symbols = self.network(padded.permute(0, 3, 1, 2).float() / 255).symbols.to(torch.int8).cpu().numpy()
        payloads = [zlib.compress(one.tobytes()) for one in symbols]
        return [payload + bytes(-len(payload) % 4) for payload in payloads]

    @torch.inference_mode()
    def decode(self, payload, height, width):
        shape = (1, self.network.encoder.out_channels, *(padded_side(side, 8) // 8 for side in (height, width)))
        try:
            data = zlib.decompressobj().decompress(payload, int(np.prod(shape)) + 1)
            symbols = np.frombuffer(data, np.int8).reshape(shape).astype(np.float32)
        except (zlib.error, ValueError) as error:
            raise CorruptError(f"the payload does not decode ({error})") from error
        decoded = self.network.decoder(torch.from_numpy(symbols).to(self.device))[0] + 0.5
        image = (decoded.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        return np.ascontiguousarray(image[inside(height, width)])

    def rates(self, picture):
        return {}
