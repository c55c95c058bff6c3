/**
 * The frame of every load generator: a child process that prepares its connections, says it is ready, waits for the
 * word to start and reports either figures or one error. The measured window is kept here too, so that all generators
 * throw away the same warm-up and measure with the same clock.
 */
export type Figures = Readonly<Record<string, number>>

export type Report =
  | { readonly type: "ready" }
  | { readonly type: "delivered"; readonly count: number }
  | { readonly type: "figures"; readonly figures: Figures }
  | { readonly type: "error"; readonly message: string }

/** The words to start and to stop, and what a subscriber beside this generator has received so far. */
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

/** Completes at the word "stop", which a generator is told that measures for as long as something else takes. */
export const stopped = new Promise<void>((resolve) => {
  process.on("message", (order: Order) => {
    if (order.type === "stop") resolve()
  })
})

/** Runs one generator: `prepare` opens what is needed and returns what to do at the word "start". */
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

/** The rate at which `count` grows during the window after the warm-up. */
export const measureRate = async (window: Window, count: () => number): Promise<number> => {
  await sleep(window.warmUpSeconds * 1000)
  const countBefore = count()
  const timeBefore = performance.now()
  await sleep(window.seconds * 1000)
  const counted = count() - countBefore
  return counted / ((performance.now() - timeBefore) / 1000)
}
