/**
 * The main loop of every load generator: a child process that prepares its connections, reports that it is ready, waits for the
 * order to start, and reports either figures or one error. It also defines the measured window, so that all generators have the
 * same warm-up and the same clock.
 */
export type Figures = Readonly<Record<string, number>>

export type Report =
  | { readonly type: "ready" }
  | { readonly type: "delivered"; readonly count: number }
  | { readonly type: "figures"; readonly figures: Figures }
  | { readonly type: "error"; readonly message: string }

/** Orders to start and to stop, and the messages that a subscriber beside this generator has received. */
export type Order =
  | { readonly type: "start" }
  | { readonly type: "stop" }
  | { readonly type: "delivered"; readonly count: number }

export interface Window {
  readonly warmUpSeconds: number
  readonly seconds: number
}

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

export const report = (message: Report): Promise<void> =>
  new Promise((resolve) => {
    if (process.send === undefined) throw new Error("this program is started by bench.ts")
    process.send(message, () => resolve())
  })

export const fail = (cause: unknown): void => {
  const message = cause instanceof Error ? cause.message : String(cause)
  void report({ type: "error", message }).then(() => process.exit(1))
}

/** Completes at the order `stop`, which generators with a window of unknown length receive. */
export const stopped = new Promise<void>((resolve) => {
  process.on("message", (order: Order) => {
    if (order.type === "stop") resolve()
  })
})

/** Runs a generator: `prepare` opens the connections and returns the load to apply at the order `start`. */
export const work = <Config>(prepare: (config: Config) => Promise<() => Promise<Figures>>): void => {
  const started = new Promise<void>((resolve) => {
    process.on("message", (order: Order) => {
      if (order.type === "start") resolve()
    })
  })
  process.once("disconnect", () => process.exit(1))
  const run = async (): Promise<void> => {
    const start = await prepare(JSON.parse(process.argv[2] ?? "{}") as Config)
    await report({ type: "ready" })
    await started
    await report({ type: "figures", figures: await start() })
    process.exit(0)
  }
  run().catch(fail)
}

/** Returns the rate at which `count` grows during the window after the warm-up. */
export const measureRate = async (window: Window, count: () => number): Promise<number> => {
  await sleep(window.warmUpSeconds * 1000)
  const countBefore = count()
  const timeBefore = performance.now()
  await sleep(window.seconds * 1000)
  const counted = count() - countBefore
  return counted / ((performance.now() - timeBefore) / 1000)
}
