// The rate-distortion figure and the curves of trainings.

const fixed = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : "not measured");

function describePoint(curve, point) {
  const kind = curve.kind === "measured" ? "measured here" : "published, on Kodak";
  const title = point.setting ? `${curve.label}, ${point.setting}` : curve.label;
  const lines = [title, kind, `${fixed(point.bpp, 4)} bpp`, `MS-SSIM ${fixed(point.ms_ssim, 4)} (${fixed(point.ms_ssim_db, 2)} dB)`, `PSNR ${fixed(point.psnr_db, 2)}${Number.isFinite(point.psnr_db) ? " dB" : ""}`];
  if (curve.kind === "measured") lines.push(`encode ${fixed(point.encode_s, 3)} s, decode ${fixed(point.decode_s, 3)} s per image`);
  return lines;
}

/** Draws again with another value on the vertical axis when a radio button is chosen. */
function switchValue(figure, name, chart, labels) {
  for (const radio of figure.querySelectorAll(`input[name=${name}]`)) {
    radio.addEventListener("change", () => { chart.y = radio.value; chart.yLabel = labels[radio.value]; chart.draw(); });
  }
}

const rateDistortion = document.getElementById("rate-distortion");
if (rateDistortion) {
  const labels = { ms_ssim_db: "MS-SSIM, dB", psnr_db: "PSNR, dB" };
  const chart = new Chart(rateDistortion, {
    curves: DATA.curves, x: "bpp", y: "ms_ssim_db", xLabel: "bits per pixel", yLabel: labels.ms_ssim_db, directLabels: true, bold: DATA.method, describe: describePoint,
    kinds: { measured: "Measured here", published: DATA.comparable ? "Published" : "Published, on Kodak: other images" },
  });
  switchValue(rateDistortion, "quality", chart, labels);
}

const trainingCurves = document.getElementById("training-curves");
if (trainingCurves) {
  const palette = ["#d55e00", "#0072b2", "#009e73", "#e69f00", "#cc79a7", "#56b4e9", "#8a8a8a", "#000000"];
  const labels = { loss: "loss", bpp: "bits per pixel", ms_ssim: "MS-SSIM" };
  const curves = DATA.trainings.map((run, place) => ({
    id: run.id, label: run.id, kind: "measured", colour: palette[place % palette.length], marker: run.curves.step.length > 30 ? "" : ".", hollow: false,
    shown: DATA.rate_curve.includes(run.experiment),
    points: run.curves.step.map((step, at) => ({ step, ...Object.fromEntries(Object.keys(labels).filter((name) => run.curves[name]).map((name) => [name, run.curves[name][at]])) })),
  }));
  const chart = new Chart(trainingCurves, {
    curves, x: "step", y: "loss", xLabel: "step", yLabel: "loss", directLabels: true, kinds: { measured: "Runs" },
    describe: (curve, point) => [curve.label, `step ${Math.round(point.step)}`, `loss ${fixed(point.loss, 3)}`, `rate ${fixed(point.bpp, 4)}${Number.isFinite(point.bpp) ? " bpp" : ""}`, `MS-SSIM ${fixed(point.ms_ssim, 4)}`],
  });
  switchValue(trainingCurves, "quantity", chart, labels);
}
