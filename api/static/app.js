// Small modules of our own. Nothing is evaluated, and no text becomes markup but what this server rendered.

// A link of `open` carries its secret behind the #, which browsers do not send: put it into the form and send that.
const link = document.getElementById("link");
if (link && location.hash.length > 1) {
  link.elements.token.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  link.submit();
}

// What is marked data-live is fetched anew when something has happened, unless somebody writes in it.
for (const place of document.querySelectorAll("[data-live]")) {
  let timer = 0;
  const renew = async () => {
    timer = 0;
    if (place.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) return;
    const answer = await fetch(place.dataset.live, { headers: { Accept: "text/html" } });
    if (answer.ok && !answer.redirected) place.innerHTML = await answer.text();
  };
  const stream = new EventSource("/api/v1/events");
  stream.addEventListener("activity", () => { timer ||= setTimeout(renew, 300); });
}
