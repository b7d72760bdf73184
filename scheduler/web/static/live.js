// Replace the run's body whenever the server sends a new one; open details stay open. Without this script the page is
// the state at its loading.
const live = document.getElementById("live");
const events = new EventSource(live.dataset.events);
events.onmessage = (message) => {
  const opened = [...live.querySelectorAll("details")].map((d) => d.open);
  live.innerHTML = JSON.parse(message.data);
  live.querySelectorAll("details").forEach((d, i) => { d.open = opened[i] ?? false; });
  const state = live.querySelector("h1").textContent.trim();
  document.title = document.title.replace(/:.*/, `: ${state}`);
  live.classList.remove("lost");
};
events.onerror = () => live.classList.add("lost");
