/**
 * Installs the packed package from npm's registry into an empty project, locally and globally, and runs it on each supported
 * version of Node, on Bun and on Deno. Run it by hand after `npm run build`: `node scripts/smoke.ts`. It downloads about 400 MB.
 * `docs/compatibility.md` has its results.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import * as Path from "node:path"

const root = Path.resolve(import.meta.dirname, "..")
const { name, version } = JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8"))
const directory = Fs.mkdtempSync(Path.join(tmpdir(), "smoke-"))
const path = (...names: ReadonlyArray<string>): string => Path.join(directory, ...names)
const { arch, platform } = process

interface Runtime {
  readonly title: string
  readonly package: string
  readonly executable: string
  /** Arguments before the file to run. */
  readonly args: ReadonlyArray<string>
}

const node = (version: string): Runtime => ({
  title: `Node ${version}`,
  package: `node-${platform}-${arch}@${version}`,
  executable: "bin/node",
  args: []
})

const runtimes: ReadonlyArray<Runtime> = [
  node("22.19.0"),
  node("24"),
  node("26"),
  {
    title: "Bun",
    package: `@oven/bun-${platform}-${arch === "arm64" ? "aarch64" : arch}`,
    executable: "bin/bun",
    args: []
  },
  {
    title: "Deno",
    package: `@deno/${platform}-${arch}${platform === "linux" ? "-glibc" : ""}`,
    executable: "deno",
    args: ["run", "--allow-all"]
  }
]

const npm = (folder: string, args: ReadonlyArray<string>): void => {
  Fs.mkdirSync(path(folder), { recursive: true })
  // npm would install into the nearest folder above that has one.
  Fs.writeFileSync(path(folder, "package.json"), JSON.stringify({ private: true, type: "module" }))
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"]
  execFileSync("npm", [...args, ...quiet], { cwd: path(folder), stdio: ["ignore", "ignore", "inherit"] })
}

/** Waits for a line in the output of a program; fails with the output if the program ends or a minute passes before. */
const printed = (child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> =>
  new Promise((resolve, reject) => {
    let output = ""
    const take = (text: Buffer): void => {
      output += text.toString()
      const match = pattern.exec(output)
      if (match !== null) resolve(match)
    }
    const fail = (why: string) => () => reject(new Error(`${why}: ${output.slice(-2000)}`))
    setTimeout(fail("it printed nothing more for a minute"), 60_000).unref()
    child.stdout?.on("data", take)
    child.stderr?.on("data", take)
    child.once("exit", fail("the program ended"))
  })

const running = new Set<ChildProcess>()

const start = (executable: string, args: ReadonlyArray<string>): ChildProcess => {
  const child = spawn(executable, [...args], { cwd: path("project"), stdio: ["ignore", "pipe", "pipe"] })
  running.add(child)
  return child
}

const stop = async (child: ChildProcess): Promise<void> => {
  running.delete(child)
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, "exit")
  child.kill("SIGTERM")
  await ended
}

const results: Array<readonly [title: string, step: string, result: string]> = []

const step = async (title: string, name: string, work: () => Promise<unknown>): Promise<void> => {
  let result = "works"
  try {
    await work()
  } catch (error) {
    result = `FAILS: ${error instanceof Error ? error.message : String(error)}`
  }
  results.push([title, name, result])
  process.stdout.write(`${title}: ${name}: ${result}\n`)
}

const anyPorts = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"]

/** Runs the steps on one runtime. */
const smoke = async ({ args, executable, package: spec, title }: Runtime): Promise<void> => {
  const folder = title.replaceAll(" ", "-")
  npm(folder, ["install", "--ignore-scripts", spec])
  const installed = spec.replace(/(?<!^)@.*$/, "")
  const runtime = path(folder, "node_modules", installed, executable)
  const run = (file: string, ...more: ReadonlyArray<string>): ChildProcess => start(runtime, [...args, file, ...more])
  const reported = execFileSync(runtime, ["--version"], { encoding: "utf8" }).split("\n")[0] ?? ""
  process.stdout.write(`${title}: ${reported}\n`)
  await step(title, "embedded broker", async () => {
    const child = run("broker.mjs")
    await printed(child, /tea[^]*coffee[^]*end/)
    await stop(child)
  })
  const data = path("project", `data-${folder}`)
  Fs.mkdirSync(data)
  const program = (program: string): string => path("project/node_modules", name, "dist/bin", program)
  const lookupd = run(program("nsqlookupd"), ...anyPorts)
  const daemons = [lookupd]
  let [lookup, address] = ["", ""]
  await step(title, "programs nsqd and nsqlookupd", async () => {
    const [tcp, http] = await Promise.all([
      printed(lookupd, /TCP: listening on (\S+)/),
      printed(lookupd, /HTTP: listening on (\S+)/)
    ])
    lookup = http[1] ?? ""
    const nsqd = run(
      program("nsqd"),
      ...anyPorts,
      `--lookupd-tcp-address=${tcp[1]}`,
      "--broadcast-address=127.0.0.1",
      "--durability=synced",
      `--data-path=${data}`
    )
    daemons.push(nsqd)
    address = (await printed(nsqd, /TCP: listening on (\S+)/))[1] ?? ""
  })
  const clients = [["none", address], ["snappy", address], ["deflate", address], ["none", address, lookup]]
  await step(title, "client, plain, with snappy, with deflate, with nsqlookupd", async () => {
    for (const [compression = "", nsqd = "", lookupd = ""] of clients) {
      const child = run("client.mjs", compression, nsqd, lookupd)
      await printed(child, /2 tea/)
      await stop(child)
    }
  })
  await step(title, "client with promises", async () => {
    const child = run("promise.mjs", address)
    await printed(child, /coffee[^]*closed/)
    await stop(child)
  })
  for (const daemon of daemons) await stop(daemon)
}

const broker = `
import { Effect, Layer, Stream } from "effect"
import { Broker, consume, publish, Publisher, Storage } from "${name}/broker"
const MemoryBroker = Publisher.layer.pipe(Layer.provideMerge(Broker.layer), Layer.provide(Storage.layerMemory))
await Effect.runPromise(Effect.gen(function*() {
  yield* publish("orders", [Buffer.from("tea"), Buffer.from("coffee")])
  yield* consume("orders", "kitchen", { maxInFlight: 2 }).pipe(
    Stream.tap((delivery) => Effect.log(Buffer.from(delivery.body).toString())),
    Stream.tap((delivery) => delivery.finish),
    Stream.take(2),
    Stream.runDrain
  )
  yield* Effect.log("end")
}).pipe(Effect.provide(MemoryBroker)))
`

const client = `
import { Effect, Schema } from "effect"
import { Consumer, NodeClient, Producer, Topic } from "${name}/client"
const [compression, nsqd, lookupd] = process.argv.slice(2)
const connection = compression === "none" ? {} : { compression }
const servers = lookupd === "" ? { nsqd: [nsqd] } : { lookupd: [lookupd] }
const orders = Topic.make("orders", Schema.Struct({ item: Schema.String, quantity: Schema.Int }))
await Effect.runPromise(Effect.gen(function*() {
  const producer = yield* Producer.make({ servers: { nsqd: [nsqd] }, connection })
  yield* producer.publish(orders, { item: "tea", quantity: 2 })
  const consumer = yield* Consumer.make({ servers, connection, topic: orders, channel: "kitchen" })
  yield* consumer.run((order) => Effect.log(order.quantity + " " + order.item))
}).pipe(Effect.scoped, Effect.provide(NodeClient.layer)))
`

const promise = `
import { createConsumer, createProducer } from "${name}/promise"
const servers = { nsqd: [process.argv[2]] }
const producer = createProducer({ servers })
await producer.publish("drinks", "coffee")
const consumer = createConsumer({ topic: "drinks", channel: "kitchen", servers })
for await (const message of consumer) {
  console.log(message.text())
  message.finish()
  break
}
await consumer.close()
await producer.close()
console.log("closed")
setInterval(() => {}, 1000)
`

try {
  execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", directory], { cwd: root, stdio: "ignore" })
  const tarball = path(`${name}-${version}.tgz`)
  npm("project", ["install", tarball])
  Fs.writeFileSync(path("project/broker.mjs"), broker)
  Fs.writeFileSync(path("project/client.mjs"), client)
  Fs.writeFileSync(path("project/promise.mjs"), promise)

  await step("npm install --global", "program nsqd", async () => {
    npm("global", ["install", "--global", "--prefix", path("global"), tarball])
    const child = start(process.execPath, [path("global/bin/nsqd"), "--version"])
    await printed(child, /nsqd v/)
  })
  await step("npx", "program effect-nsq", async () => {
    const child = start("npx", ["--yes", "--prefer-offline", "--package", tarball, name, "--help"])
    await printed(child, /USAGE\s+nsq/)
  })
  for (const runtime of runtimes) await smoke(runtime)
} finally {
  for (const child of running) child.kill("SIGKILL")
  Fs.rmSync(directory, { recursive: true, force: true })
}
process.exit(results.some(([, , result]) => result !== "works") ? 1 : 0)
