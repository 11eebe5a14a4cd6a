/**
 * Lets the page work without a network: a service worker keeps what the page and its worker fetched so far. In the built page only, as
 * a development server has other names for everything.
 */
export async function workOffline(workerUrls: readonly string[]): Promise<boolean> {
  if (import.meta.env.MODE !== "production" || !("serviceWorker" in navigator)) return false;
  await navigator.serviceWorker.register(new URL("service-worker.js", document.baseURI));
  const { active } = await navigator.serviceWorker.ready;
  const own = performance.getEntriesByType("resource").map(({ name }) => name);
  const page = new URL(".", document.baseURI).href;
  const urls = [...new Set([page, ...own, ...workerUrls])].filter((url) => url.startsWith(page));
  const { port1, port2 } = new MessageChannel();
  const kept = new Promise<boolean>((resolve) => (port1.onmessage = ({ data }: MessageEvent<boolean>) => resolve(data)));
  active!.postMessage(urls, [port2]);
  return kept;
}
