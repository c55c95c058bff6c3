/**
 * Loads the pages in parts, each in a task of its own: all modules together take 80 ms of CPU time, for which a browser would not react.
 * Each part has what those before it have not loaded. The HTML preloads all of them (`vite.config.ts`), so that none waits for the network.
 */

/** Completes in another task. */
const turn = () => new Promise((done) => setTimeout(done))

/** Not at the top of the module, for which the build would make a second file of each part. */
const start = async (): Promise<void> => {
  await import("react-dom/client")
  await turn()
  // With Effect's Schemas.
  await import("./core/settings.ts")
  await turn()
  await import("../protocol/http/admin/AdminApi.ts")
  await turn()
  // With Effect's HTTP client.
  await import("./core/api.ts")
  await turn()
  await import("./live/live.ts")
  await turn()
  const { render } = await import("./render.tsx")
  await turn()
  render()
}

void start()
