/**
 * `kill -9` of a daemon whose policies are switched on: a limit of attempts with dead letters, and keys of publishes. At the end all
 * messages are finished or dead letters, and the dead letters are redriven and finished.
 */
import type { Durability } from "./kinds.ts"
import { Commits, delay, type Life } from "./load.ts"
import { type DeadLetter, keyOf, PolicyLedger, type PolicyReport } from "./PolicyLedger.ts"
import {
  channelName,
  consume,
  consumeRepeatedly,
  keyHeader,
  type PolicyLoadOptions,
  publishOverHttp,
  publishOverTcp
} from "./policyLoad.ts"
import { Program, removeDirectory, temporaryDirectory } from "./program.ts"
import { createQueues } from "./queues.ts"
import { Random } from "./random.ts"
import * as Wire from "./wire.ts"

const topics = ["first", "second"]
const maxAttempts = 3
const messageTimeoutMillis = 300

export interface PolicyCycleOptions {
  readonly command: ReadonlyArray<string>
  readonly cycles: number
  readonly seed: number
  readonly durability: Exclude<Durability, "memory">
  /** Small segments, limits and a time-to-live whose messages become dead letters, rewinds, and changes of policies. Default: false. */
  readonly isHarsh?: boolean
  /** Parent of the data directory. Default: the system's temporary directory. */
  readonly parent?: string
  readonly progress?: (line: string) => void
}

/** The result of a run. */
export interface PolicySummary extends PolicyReport {
  readonly durability: Durability
  readonly seed: number
  readonly kills: number
  readonly seconds: number
  /** Publishes that the daemon refused. */
  readonly refused: ReadonlyArray<string>
  /** Messages that the channels still have at the end. */
  readonly left: number
}

/** Lists the failed checks of a run. */
export const policyFaults = (summary: PolicySummary): ReadonlyArray<string> => {
  const counts: ReadonlyArray<readonly [number, string]> = [
    [summary.lost, "acknowledged messages lost"],
    [summary.storedTwice, "messages stored twice for one key"],
    [summary.notRedriven, "dead letters not redriven"],
    [summary.invented, "invented messages"],
    [summary.corrupt, "corrupt messages"],
    [summary.wrongOrigins, "dead letters without their origin"],
    [summary.left, "messages left"],
    [summary.refused.length, "publishes refused"]
  ]
  return counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`)
}

const deadTopicOf = (topic: string): string => `${topic}.dlq`

const json = async (port: number, path: string, body?: string) => {
  const reply = await Wire.http(port, path, body)
  if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${reply.body}`)
  return JSON.parse(reply.body)
}

/** The numbers of unfinished messages of the topics' channels, without those of dead-letter topics. */
const unfinished = async (port: number): Promise<number> => {
  const { topics: all } = await json(port, "/stats?format=json")
  let sum = 0
  for (const { channels, depth, topic_name } of all) {
    if (!topics.includes(topic_name)) continue
    sum += depth
    for (const channel of channels) sum += channel.depth + channel.in_flight_count + channel.deferred_count
  }
  return sum
}

const untilFinished = async (port: number): Promise<number> => {
  const until = performance.now() + 30_000
  for (let left = await unfinished(port);; left = await unfinished(port)) {
    if (left === 0 || performance.now() > until) return left
    await delay(50)
  }
}

/** All dead letters that wait in a topic. */
const lettersOf = async (port: number, topic: string): Promise<ReadonlyArray<DeadLetter>> => {
  const letters: Array<DeadLetter> = []
  const path = `/messages?topic=${topic}&channel=redrive&state=waiting&limit=1000`
  for (let from: number | null = 0; from !== null;) {
    const page: {
      readonly messages: ReadonlyArray<{ headers?: Wire.Headers; body?: string; body_base64?: string }>
      readonly next: number | null
    } = await json(port, `${path}&body_bytes=100000&from=${from}`)
    for (const { body, body_base64, headers = {} } of page.messages) {
      letters.push({ headers, body: body === undefined ? Buffer.from(body_base64 ?? "", "base64") : Buffer.from(body) })
    }
    from = page.next
  }
  return letters
}

/** Redrives all dead letters of a topic. */
const redrive = async (port: number, topic: string): Promise<void> => {
  const path = `/topic/redrive?topic=${topic}`
  for (let progress = await json(port, path, "");; progress = await json(port, path)) {
    if (progress.state === "done") return
    if (progress.state !== "running") throw new Error(`${path}: ${JSON.stringify(progress)}`)
    await delay(20)
  }
}

// ---- harsh cycles

/** The policies of harsh cycles: nothing of them loses a message. */
const harshPolicies = topics.map((match) => ({
  match,
  max_attempts: maxAttempts,
  ttl: "3s",
  on_expired: "dead_letter",
  max_depth: 400,
  on_full: "dead_letter"
}))

const setPolicies = async (port: number, policies: ReadonlyArray<object>): Promise<void> => {
  for (const policy of policies) await Wire.http(port, "/policies", JSON.stringify(policy), undefined, {}, "PUT")
}

/** Moves a channel back from its first unfinished message. */
const rewind = async (port: number, topic: string, random: Random): Promise<void> => {
  const open = `/messages?topic=${topic}&channel=${channelName}&state=waiting,in_flight,deferred&limit=1`
  const [first] = (await json(port, open)).messages
  if (first === undefined) return
  const to = Math.max(1, first.sequence - random.integer(0, 200))
  await json(port, `/channel/seek?topic=${topic}&channel=${channelName}&to=${to}`, "")
}

/** Rewinds channels and switches the policies off and on until the life ends. */
const disturb = async ({ httpPort, random }: PolicyLoadOptions, topic: string, life: Life): Promise<void> => {
  while (!life.stopped) {
    await delay(random.between(50, 500))
    const draw = random.next()
    if (draw < 0.5) await rewind(httpPort, topic, random)
    else if (draw < 0.75) {
      await Wire.http(httpPort, `/policies?match=${topic}`, undefined, undefined, {}, "DELETE")
    } else await setPolicies(httpPort, harshPolicies.filter(({ match }) => match === topic))
  }
}

/** Publishes what has no reply, finishes all messages, redrives the dead letters and finishes these. Returns how many are left. */
const finishAll = async (options: PolicyLoadOptions): Promise<number> => {
  const { httpPort, ledger, tcpPort } = options
  const publisher = await Wire.Requests.connect(tcpPort)
  for (const topic of topics) {
    for (const row of ledger.again(topic, () => false)) {
      const reply = await publisher.ask(Wire.hpub(topic, { [keyHeader]: keyOf(row) }, ledger.bodyOf(row)))
      if (reply !== "OK") throw new Error(`HPUB: ${reply}`)
      ledger.acknowledge(row)
    }
  }
  publisher.close()
  const consumers = await Promise.all(topics.map((topic) => consume(options, topic, true)))
  let left = await untilFinished(httpPort)
  for (const topic of topics) {
    ledger.addLetters(topic, channelName, await lettersOf(httpPort, deadTopicOf(topic)))
    await redrive(httpPort, deadTopicOf(topic))
  }
  left += await untilFinished(httpPort)
  for (const topic of topics) left += (await lettersOf(httpPort, deadTopicOf(topic))).length
  for (const consumer of consumers) consumer.close()
  return left
}

export const runPolicyCycles = async (options: PolicyCycleOptions): Promise<PolicySummary> => {
  const { command, cycles, durability, isHarsh = false, parent, progress, seed } = options
  const began = performance.now()
  const random = new Random(seed)
  const ledger = new PolicyLedger()
  const dataPath = temporaryDirectory(parent)
  const policy = { match: "*", max_attempts: maxAttempts, dedup_window: "24h", ttl: "24h" }
  const flags = [
    `--durability=${durability}`,
    `--msg-timeout=${messageTimeoutMillis}ms`,
    // Finished segments are used again, and their keys must be known nevertheless.
    `--segment-size=${isHarsh ? 65_536 : 1_048_576}`,
    `--policy=${JSON.stringify(policy)}`
  ]
  const start = (): Program => new Program({ command, dataPath, flags })
  const refused: Array<string> = []
  const prepared = start()
  const { httpPort } = await prepared.listening
  await createQueues(httpPort, topics.map((name) => ({ name, channels: [channelName] })))
  await createQueues(httpPort, topics.map((name) => ({ name: deadTopicOf(name), channels: ["redrive"] })))
  if (isHarsh) await setPolicies(httpPort, harshPolicies)
  await prepared.kill()

  for (let cycle = 0; cycle < cycles; cycle++) {
    const program = start()
    const load: PolicyLoadOptions = { ...await program.listening, ledger, random }
    const life: Life = { stopped: false, refused, commits: new Commits() }
    // A connection that fails because of the kill is ignored.
    const running = topics.flatMap((topic) => [
      publishOverTcp(load, topic, life),
      publishOverHttp(load, topic, life),
      consumeRepeatedly(load, topic, life),
      consumeRepeatedly(load, topic, life),
      ...isHarsh ? [disturb(load, topic, life)] : []
    ]).map((promise) => promise.catch(() => undefined))
    await delay(random.chance(0.2) ? random.between(0, 50) : random.between(100, 1500))
    life.stopped = true
    if (program.child.exitCode !== null) throw new Error(`nsqd ended by itself:\n${program.log}`)
    await program.kill()
    await Promise.all(running)
    progress?.(`cycle ${cycle + 1}: ${ledger.open} not finished`)
  }

  const last = start()
  const ports = await last.listening
  for (const { match } of harshPolicies) {
    await Wire.http(ports.httpPort, `/policies?match=${match}`, undefined, undefined, {}, "DELETE")
  }
  const left = await finishAll({ ...ports, ledger, random })
  await last.stop()
  removeDirectory(dataPath)
  return {
    durability,
    seed,
    kills: cycles,
    seconds: Math.round((performance.now() - began) / 1000),
    ...ledger.report(),
    refused: [...new Set(refused)].slice(0, 10),
    left
  }
}
