// Draws the table of a page as a chart: bars of tokens a day, and a line of what they cost.
const place = document.querySelector("[data-chart]");
const table = document.getElementById(place?.dataset.chart);
if (place && table) {
  const rows = [...table.querySelectorAll("tr[data-day]")].reverse();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // Days without a call are days, too.
  const day = 86_400;
  const known = new Map(rows.map((row) => [Date.parse(row.dataset.day) / 1000, row.dataset]));
  const first = Math.min(...known.keys(), Math.floor(Date.now() / 1000 / day) * day - 6 * day);
  const days = [];
  for (let at = first; at <= Math.max(...known.keys()); at += day) days.push(at);
  const tokens = days.map((at) => Number(known.get(at)?.tokens ?? 0));
  const costs = days.map((at) => Number(known.get(at)?.cost ?? 0));
  const short = (value) => (value >= 1e6 ? `${value / 1e6} M` : value >= 1e3 ? `${value / 1e3} k` : `${value}`);
  const inside = () => place.clientWidth - 14; // less its padding
  const options = (width) => ({
    width, height: 220, tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
    cursor: { points: { size: 6 } }, legend: { live: true },
    scales: { x: { range: (_, least, most) => [least - day / 2, most + day / 2] }, y: { range: (_, __, most) => [0, Math.max(most * 1.1, 1)] }, usd: { range: (_, __, most) => [0, Math.max(most * 1.1, 0.01)] } },
    axes: [
      { stroke: colour("--muted"), grid: { show: false }, ticks: { stroke: colour("--line") }, space: 70, incrs: [day, 2 * day, 7 * day, 30 * day], values: (_, found) => found.map((at) => new Date(at * 1000).toLocaleDateString(undefined, { day: "numeric", month: "short", timeZone: "UTC" })) },
      { stroke: colour("--muted"), grid: { stroke: colour("--line") }, ticks: { show: false }, values: (_, found) => found.map(short), size: 60 },
      { scale: "usd", side: 1, stroke: colour("--muted"), grid: { show: false }, ticks: { show: false }, values: (_, found) => found.map((value) => `$${value}`), size: 60 },
    ],
    series: [
      { label: "Day", value: (_, at) => (at == null ? "–" : new Date(at * 1000).toISOString().slice(0, 10)) },
      { label: "Tokens", stroke: colour("--accent"), fill: colour("--bars"), paths: uPlot.paths.bars({ size: [0.6, 40] }), points: { show: false } },
      { label: "Cost, $", scale: "usd", stroke: colour("--amber"), width: 2, points: { show: true, size: 5 } },
    ],
  });
  const chart = new uPlot(options(inside()), [days, tokens, costs], place);
  new ResizeObserver(() => chart.setSize({ width: inside(), height: 220 })).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => location.reload());
}
