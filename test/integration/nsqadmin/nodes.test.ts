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

/** The width of a phone, in pixels. */
const phone = 390

const closed = (socket: Net.Socket) =>
  Effect.callback<void>((resume) => void socket.once("close", () => resume(Effect.void)))

/** A labelled figure of a card; sizes are pixels. */
interface CardFigure {
  readonly name: string
  /** The visible label, in quotation marks. */
  readonly label: string
  readonly labelSize: number
  readonly value: string
  readonly size: number
  readonly lines: number
  readonly isCut: boolean
  readonly isNumeric: boolean
  readonly box: { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number }
}

/** Returns the figures of a card, the first of a table, in the order in which a reader meets them. */
const figuresOf = (tab: Tab, table: string, node: string): Effect.Effect<ReadonlyArray<CardFigure>> =>
  tab.act((page) =>
    page.evaluate<ReadonlyArray<CardFigure>>(`
      Array.from(
        Array.from(document.querySelectorAll("table[aria-label='${table}'] tbody tr"))
          .find((row) => row.textContent.includes("${node}")).querySelectorAll("td"),
        (cell) => {
          const label = getComputedStyle(cell, "::before")
          const { bottom, left, right, top } = cell.getBoundingClientRect()
          const range = document.createRange()
          range.selectNodeContents(cell)
          return {
            name: cell.dataset.name,
            label: label.display === "block" && label.visibility === "visible" ? label.content : "",
            labelSize: parseFloat(label.fontSize),
            value: cell.innerText,
            size: parseFloat(getComputedStyle(cell).fontSize),
            lines: new Set(Array.from(range.getClientRects(), ({ y }) => Math.round(y))).size,
            isNumeric: cell.classList.contains("numeric"),
            isCut: cell.scrollWidth > cell.clientWidth,
            box: { bottom, left, right, top }
          }
        }
      ).sort(({ box: a }, { box: b }) => Math.round(a.top - b.top) || a.left - b.left)
    `)
  )

/** Checks that each figure has a label, is not cut off, does not overlap another, and that nothing is wider than the phone. */
const areLegible = Effect.fnUntraced(function*(tab: Tab, figures: ReadonlyArray<CardFigure>) {
  for (const [i, { box, isCut, isNumeric, label, labelSize, lines, name, size, value }] of figures.entries()) {
    assert.strictEqual(label, `"${name}"`)
    assert.isAtLeast(labelSize, 12, name)
    assert.isAtLeast(size, 14, name)
    assert.notStrictEqual(value.trim(), "", name)
    assert.isFalse(isCut, name)
    assert.isTrue(box.left >= 0 && box.right <= phone, name)
    if (isNumeric) assert.strictEqual(lines, 1, `${name}: ${value}`)
    for (const { box: other, name: otherName } of figures.slice(i + 1)) {
      const isApart = other.left >= box.right || other.right <= box.left || other.top >= box.bottom ||
        other.bottom <= box.top
      assert.isTrue(isApart, `${name} and ${otherName}`)
    }
  }
  assert.isAtMost(yield* tab.act((page) => page.evaluate<number>("document.documentElement.scrollWidth")), phone)
})

/** NSQ's nsqd with a topic and a consumer, without the endpoints of effect-nsq. */
const goNsqd = Effect.fnUntraced(function*(hostname: string, depth: number) {
  const clients = [{ client_id: "go", hostname: "go.example.com", remote_address: "10.0.0.1:5000" }]
  const address = yield* fakeServer(({ url = "" }, response) => {
    const [host, port] = address.split(":")
    const body = url.startsWith("/stats")
      ? {
        version: "1.3.0",
        health: "OK",
        topics: [{ topic_name: "orders", channels: [{ channel_name: "billing", depth, clients, client_count: 1 }] }],
        memory: { heap_objects: 5000 },
        producers: null
      }
      : url === "/info"
      ? { version: "1.3.0", broadcast_address: host, hostname, http_port: Number(port) }
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
      const go = yield* goNsqd("go", 0)
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

  it.effect("on a phone the cards of nodes show the important figures first, with labels, whole and legible", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const nsqd = yield* startNsqd([])
      const hostname = "nsqd-17.storage.eu-central-1.compute.internal.example.com"
      const go = yield* goNsqd(hostname, 1_234_567_890)
      const admin = yield* startAdmin({ nsqdHttpAddresses: [nsqd.http, go] })
      const view = yield* tab(admin.url, { viewport: { width: phone, height: 844 } })
      yield* view.open("/nodes")
      yield* view.act(() => rowOf(view, "nsqd nodes", nsqd.http).getByText(/\d (GB|TB) \(\d+%\)/).waitFor())
      yield* view.act(() => rowOf(view, "nsqd nodes", go).getByText("1,234,567,890").waitFor())
      yield* view.act(() => rowOf(view, "nsqd nodes", go).getByText(hostname).waitFor())
      for (const node of [nsqd.http, go]) {
        const figures = yield* figuresOf(view, "nsqd nodes", node)
        const names = figures.map(({ name }) => name)
        assert.deepStrictEqual(names.slice(0, 5), ["State", "Waiting", "In flight", "In /s", "Finished /s"])
        assert.includeMembers(names, ["Requeued /s", "Timed out /s", "Memory", "Loop p99", "Disk free", "Clients"])
        yield* areLegible(view, figures)
      }
    }))

  it.effect("on a phone the cards of versions and topics are legible, also with opened lists", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, lookupds, nsqds: [first] } = yield* startCluster()
      for (let i = 1; i <= 9; i++) yield* create(`topic-${i}`)
      yield* create("a-topic.with_the.longest-name".padEnd(64, "-x"))
      const view = yield* tab(admin.url, { viewport: { width: phone, height: 844 } })
      yield* view.open("/nodes")
      const card = rowOf(view, "Versions and topics", first.http)
      yield* view.act(() => card.getByText("10", { exact: true }).waitFor())
      yield* areLegible(view, yield* figuresOf(view, "Versions and topics", first.http))
      for (const i of [0, 1]) yield* view.act(() => card.locator("summary").nth(i).click())
      yield* view.act(() => card.getByText(lookupds[1].http).waitFor())
      yield* view.act(() => card.getByText("topic-9").waitFor())
      const figures = yield* figuresOf(view, "Versions and topics", first.http)
      const names = ["TCP port", "Version", "nsqlookupds", "Topics"]
      assert.sameMembers(figures.map(({ name }) => name), names)
      yield* areLegible(view, figures)
      // An address of an opened list is not broken into lines.
      const [line, item] = yield* view.act(() =>
        Promise.all(
          [card.locator("summary").first(), card.getByRole("listitem").filter({ hasText: lookupds[1].http })]
            .map((one) => one.evaluate((element) => element.getBoundingClientRect().height))
        )
      )
      assert.isAtMost(item ?? NaN, (line ?? NaN) * 1.5)
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
