// Small modules of our own beside htmx. Nothing is evaluated, and no text becomes markup but what this server rendered.

// A link of `open` carries its secret behind the #, which browsers do not send: put it into the form and send that.
const link = document.getElementById("link");
if (link && location.hash.length > 1) {
  link.elements.token.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  link.submit();
}
if (new URLSearchParams(location.search).has("told")) {
  const address = new URL(location);
  address.searchParams.delete("told"); // it was said once
  history.replaceState(null, "", address);
}

// Times stay true: as `_ago` in look.py.
function ago(moment) {
  const seconds = (Date.now() - moment) / 1000;
  for (const [limit, size, unit] of [[3600, 60, "min"], [86400, 3600, "h"], [30 * 86400, 86400, "d"]]) {
    if (seconds < limit) return Math.floor(seconds / size) > 0 ? `${Math.floor(seconds / size)} ${unit} ago` : "just now";
  }
  return new Date(moment).toISOString().slice(0, 10);
}
// Moments of a story stand there as the reader's clock showed them; without this script, as UTC.
function clock(moment) {
  const time = new Date(moment);
  const today = time.toDateString() === new Date().toDateString();
  return today ? time.toLocaleTimeString("en-GB")
    : `${time.toLocaleString("en", { month: "short" })} ${time.getDate()}, ${time.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })}`;
}
function renewTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const moment = Date.parse(time.dateTime);
    const words = time.classList.contains("clock") ? clock(moment) : moment <= Date.now() ? ago(moment) : time.textContent;
    if (time.textContent !== words) time.textContent = words;
  }
}
renewTimes();
setInterval(renewTimes, 20_000);

// What happens arrives as server-sent events; then the page asks for itself anew, a few times a second at most.
// htmx takes the new page into the old one in place, so that what is being written, open or focused stays.
const live = document.querySelector("#main[hx-get]");
const line = document.getElementById("line");
function renew() {
  document.body.dispatchEvent(new CustomEvent("news"));
}
if (live) {
  let timer = 0;
  let last = 0;
  const soon = () => {
    timer ||= setTimeout(() => { timer = 0; last = Date.now(); renew(); }, Math.max(150, 700 - (Date.now() - last)));
  };
  let lost = false;
  const stream = new EventSource("/api/v1/events");
  // A task moves on a moment after the line that tells of it: look again when it is quiet.
  let later = [];
  stream.addEventListener("activity", () => {
    soon();
    later.forEach(clearTimeout);
    later = [2_000, 15_000].map((wait) => setTimeout(soon, wait));
  });
  stream.addEventListener("open", () => {
    line.textContent = "live";
    line.classList.remove("lost");
    if (lost) soon();
    lost = false;
  });
  stream.addEventListener("error", () => {
    lost = true;
    line.textContent = "no connection; trying again";
    line.classList.add("lost");
  });
  // The daemon takes a word without a line in the stream, so the page looks again until it has.
  const settle = () => { if (document.querySelector("[data-sent]")) setTimeout(soon, 1000); };
  document.addEventListener("htmx:after:swap", settle);
  settle();
  document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
}
document.addEventListener("htmx:before:response", (event) => {
  if (event.detail.ctx.response.raw.redirected) { // the session is over
    event.preventDefault();
    location.assign("/sign-in");
  }
});

// The panel shows what stands behind a line of the change or a call of a model, beside the page.
const panel = document.getElementById("panel");
let opener = null;
function closePanel() {
  panel.hidden = true;
  panel.replaceChildren();
  opener?.focus();
}
document.addEventListener("htmx:after:swap", (event) => {
  renewTimes();
  if (event.detail.ctx.target === panel) {
    if (panel.hidden) opener = document.activeElement;
    panel.hidden = false;
    panel.scrollTop = 0;
    panel.focus();
  }
});
const more = document.getElementById("more");
document.addEventListener("click", (event) => {
  if (more?.open && !more.contains(event.target)) more.open = false;
  if (event.target.closest("[data-close]")) closePanel();
});

// Keys: g and a letter goes to a page, / searches, Escape closes the panel.
const places = { i: "/", n: "/now", t: "/tasks", a: "/activity", c: "/costs", e: "/team", d: "/decisions", r: "/repository", p: "/people", s: "/settings" };
let went = 0;
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && more?.open) {
    more.open = false;
    return more.firstElementChild.focus();
  }
  if (event.key === "Escape" && !panel.hidden) return closePanel();
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  if (event.key === "/") {
    event.preventDefault();
    const search = document.getElementById("search");
    if (search) search.focus();
    else location.assign("/tasks");
  } else if (event.key === "g") {
    went = Date.now();
  } else if (Date.now() - went < 1500 && places[event.key]) {
    location.assign(places[event.key]);
  }
});
