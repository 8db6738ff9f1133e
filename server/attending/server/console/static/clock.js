// Times that run: how long something waits, when it is due. In words, as the server writes them.

export function span(seconds) {
  const whole = Math.floor(Math.abs(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

// The browser's clock may be wrong: what counts is the server's.
const written = document.querySelector("[data-now]")?.dataset.now;
const skew = written ? Date.parse(written) - Date.now() : 0;
export const now = () => Date.now() + skew;

function tick() {
  for (const time of document.querySelectorAll("time[data-clock]")) {
    const left = (Date.parse(time.dateTime) - now()) / 1000;
    let words = time.textContent;
    if (time.dataset.clock === "since") words = span(left);
    else if (time.dataset.clock === "left") words = left > 0 ? span(left) : "no longer";
    else if (time.dataset.clock === "due") {
      words = left < 0 ? `${span(left)} over` : `${span(left)} left`;
      if (left < 0) { time.classList.remove("soon", "calm"); time.classList.add("late"); }
    } else if (time.dataset.clock === "at" && !time.title) {
      time.title = time.textContent;
      words = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    }
    if (words !== time.textContent) time.textContent = words;
  }
}
export function run() {
  tick();
  setInterval(tick, 1000);
}
