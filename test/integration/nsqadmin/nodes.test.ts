import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type * as Net from "node:net"
import { fakeServer } from "../../services/http/fakeServer.ts"
import { Browser, type Tab } from "./browser.ts"
import { startAdmin, startCluster, startNsqd, until } from "./cluster.ts"
import { consume } from "./consumer.ts"

const shows = (tab: Tab, text: string | RegExp) => tab.act((page) => page.getByText(text).first().waitFor())

/** Presses a button, checks the question of the dialog, and confirms it. */
const confirm = Effect.fnUntraced(function*(tab: Tab, button: string, question: string) {
  yield* tab.act((page) => page.getByRole("button", { name: button, exact: true }).click())
  const dialog = tab.page.getByRole("dialog", { name: question })
  yield* tab.act(() => dialog.waitFor())
  yield* tab.act(() => dialog.getByRole("button", { name: button, exact: true }).click())
})

/** The row of a table whose first cell has this text. */
const rowOf = (tab: Tab, table: string, name: string) =>
  tab.page.getByRole("table", { name: table }).getByRole("row").filter({ hasText: name })

const closed = (socket: Net.Socket) =>
  Effect.callback<void>((resume) => void socket.once("close", () => resume(Effect.void)))

/** NSQ's nsqd with a topic and a consumer, without the endpoints of effect-nsq. */
const goNsqd = Effect.gen(function*() {
  const clients = [{ client_id: "go", hostname: "go.example.com", remote_address: "10.0.0.1:5000" }]
  const address = yield* fakeServer(({ url = "" }, response) => {
    const [host, port] = address.split(":")
    const body = url.startsWith("/stats")
      ? {
        version: "1.3.0",
        health: "OK",
        topics: [{ topic_name: "orders", channels: [{ channel_name: "billing", clients, client_count: 1 }] }],
        memory: { heap_objects: 5000 },
        producers: null
      }
      : url === "/info"
      ? { version: "1.3.0", broadcast_address: host, hostname: "go", http_port: Number(port) }
      : undefined
    response.statusCode = body === undefined ? 404 : 200
    response.end(JSON.stringify(body ?? { message: "NOT_FOUND" }))
  })
  return address
})

layer(Browser.layer, { excludeTestServices: true })("nsqds, drains and clients in nsqadmin", (it) => {
  it.effect("the pages of nodes have the process of each nsqd, and name what NSQ's nsqd does not report", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const nsqd = yield* startNsqd([])
      const go = yield* goNsqd
      const admin = yield* startAdmin({ nsqdHttpAddresses: [nsqd.http, go] })
      const view = yield* tab(admin.url)
      yield* view.open("/nodes")
      yield* view.act(() => rowOf(view, "nsqd nodes", nsqd.http).getByText(/\d MB/).waitFor())
      yield* view.act(() => rowOf(view, "nsqd nodes", nsqd.http).getByText(/\d (GB|TB) \(\d+%\)/).waitFor())
      yield* view.act(() => rowOf(view, "nsqd nodes", go).getByTitle("Not reported by NSQ's nsqd").first().waitFor())
      yield* view.act(() => rowOf(view, "Versions and topics", nsqd.http).getByText(/effect-nsq \d/).waitFor())

      yield* view.act(() => rowOf(view, "nsqd nodes", nsqd.http).getByRole("link").click())
      const figures = yield* view.act(() =>
        view.page.getByLabel("Messages, process and machine").locator("dt").allInnerTexts()
      )
      assert.includeMembers(figures, ["Process memory", "Disk", "File descriptors", "Event loop delay", "Version"])
      yield* view.open(`/nodes/${go}`)
      yield* shows(view, /not reported by NSQ's nsqd/)
      assert.strictEqual(yield* view.act((page) => page.getByRole("button", { name: "Drain node" }).count()), 0)

      // NSQ's nsqd lists the client with less, and cannot close it.
      yield* view.open(`/nodes/${go}/clients/10.0.0.1:5000`)
      yield* shows(view, "go.example.com:5000")
      yield* shows(view, /cannot close a connection/)
      assert.strictEqual(yield* view.act((page) => page.getByRole("button", { name: "Close connection" }).count()), 0)
    }))

  it.effect("a drain begins after its confirmation, shows how far it is, and can be ended", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first] } = yield* startCluster()
      yield* create("orders", "billing")
      yield* first.post("/mpub?topic=orders", "1\n2\n3")
      const view = yield* tab(admin.url)
      yield* view.open(`/nodes/${first.http}`)
      yield* confirm(view, "Drain node", `Drain node ${first.http}?`)
      yield* shows(view, `The drain of ${first.http} has begun.`)
      yield* shows(view, /Draining since .*: 3 messages left: 3 waiting, 0 in flight, 0 deferred\./)
      assert.strictEqual((yield* first.post("/pub?topic=orders", "x")).status, 503)

      yield* view.open("/nodes")
      yield* view.act(() => rowOf(view, "nsqd nodes", first.http).getByText("draining: 3 left").waitFor())
      yield* consume(first.tcp, { topic: "orders", channel: "billing", ready: 5, does: "finish" })
      yield* view.act(() => rowOf(view, "nsqd nodes", first.http).getByText("drained", { exact: true }).waitFor())

      yield* view.open(`/nodes/${first.http}`)
      yield* shows(view, /Drained since .*: all topics are empty\./)
      yield* confirm(view, "End drain", `End the drain of node ${first.http}?`)
      yield* view.act((page) => page.getByRole("button", { name: "Drain node" }).waitFor())
      assert.strictEqual((yield* first.post("/pub?topic=orders", "x")).status, 200)
    }))

  it.effect("a client is found from its topic, its channel and its node, and its connection can be closed", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first], topicOn } = yield* startCluster()
      yield* create("orders", "billing")
      const socket = yield* consume(first.tcp, {
        topic: "orders",
        channel: "billing",
        ready: 7,
        does: "hold",
        identity: {
          client_id: "worker-3",
          hostname: "worker-3.example.com",
          user_agent: "worker/2.1",
          msg_timeout: 90_000
        }
      })
      socket.write("PUB orders\n\0\0\0\x01xPUB orders\n\0\0\0\x01y")
      const name = `worker-3.example.com:${socket.localPort}`
      const link = (place: { readonly getByRole: Tab["page"]["getByRole"] }) =>
        place.getByRole("link", { name }).first()
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders/billing")
      yield* view.act((page) => link(page).waitFor())
      yield* view.open(`/nodes/${first.http}`)
      yield* view.act((page) => page.locator("summary", { hasText: "Connections" }).click())
      yield* view.act((page) => link(page.getByRole("table", { name: "Connections" })).waitFor())
      yield* view.open("/topics/orders")
      yield* view.act(() => rowOf(view, "Producers", name).getByText("2", { exact: true }).waitFor())
      yield* view.act((page) => link(page.getByRole("table", { name: "Producers" })).click())

      yield* view.act((page) => page.getByRole("heading", { level: 1, name: `Client ${name}` }).waitFor())
      const text = yield* view.act((page) => page.locator("main").innerText())
      for (
        const part of [
          "worker/2.1",
          "orders / billing",
          "1 m 30 s",
          "ready for 7 (RDY)",
          `127.0.0.1:${socket.localPort}`
        ]
      ) {
        assert.include(text, part)
      }
      const end = yield* Effect.forkChild(closed(socket), { startImmediately: true })
      yield* confirm(view, "Close connection", `Close the connection of ${name} to ${first.http}?`)
      yield* shows(view, `The connection of ${name} has been closed.`)
      yield* until(Effect.sync(() => end.pollUnsafe() !== undefined), (isOver) => isOver)
      yield* view.act((page) => page.getByRole("heading", { level: 1, name: `Node ${first.http}` }).waitFor())
      const state = yield* until(topicOn(first, "orders"), (topic) => topic?.channels[0]?.in_flight_count === 0)
      assert.strictEqual(state?.channels[0]?.depth, 2)

      yield* view.open(`/nodes/${first.http}/clients/127.0.0.1:${socket.localPort}`)
      yield* shows(view, "The client is not connected to this node any more.")
    }))

  it.effect("only administrators see the drain switch and the button that closes a connection", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const nsqd = yield* startNsqd([])
      const admin = yield* startAdmin({ nsqdHttpAddresses: [nsqd.http], adminUsers: ["alice"] })
      const socket = yield* consume(nsqd.tcp, { topic: "orders", channel: "billing", ready: 1, does: "finish" })
      const view = yield* tab(admin.url)
      yield* view.open(`/nodes/${nsqd.http}/clients/127.0.0.1:${socket.localPort}`)
      yield* shows(view, "Negotiated")
      assert.strictEqual(yield* view.act((page) => page.getByRole("button", { name: "Close connection" }).count()), 0)
      yield* view.open(`/nodes/${nsqd.http}`)
      yield* view.act((page) => page.getByLabel("Messages, process and machine").waitFor())
      assert.strictEqual(yield* view.act((page) => page.getByRole("button", { name: "Drain node" }).count()), 0)
    }))
})
