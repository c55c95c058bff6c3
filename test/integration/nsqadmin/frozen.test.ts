import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { fakeServer } from "../../services/http/fakeServer.ts"
import * as Process from "../daemon.ts"
import { Browser, type Tab } from "./browser.ts"
import { request, startAdmin, startCluster, until } from "./cluster.ts"

/** Less than a request to a frozen daemon takes, in milliseconds. */
const timeout = 4000

const row = (tab: Tab, name: string | RegExp) =>
  tab.page.getByRole("row").filter({ has: tab.page.getByRole("link", { name }) }).first()

/** A process that never replies, and accepts connections. */
const freezable = (lookupds: ReadonlyArray<{ readonly tcp: string }>) =>
  Effect.gen(function*() {
    const directory = yield* Process.temporaryDirectory
    const flags = lookupds.map(({ tcp }) => `--lookupd-tcp-address=${tcp}`)
    const daemon = yield* Effect.orDie(Process.start(directory, ["--broadcast-address=127.0.0.1", ...flags]))
    const http = `127.0.0.1:${daemon.httpPort}`
    return {
      http,
      freeze: daemon.signal("SIGSTOP"),
      thaw: daemon.signal("SIGCONT"),
      post: (path: string, body = "") => request(`http://${http}${path}`, { method: "POST", body })
    }
  })

layer(Browser.layer, { excludeTestServices: true })("frozen daemons", (it) => {
  it.effect(
    "once nsqadmin knows that an nsqlookupd and an nsqd are frozen, no page waits for them, and each is logged once",
    () =>
      Effect.gen(function*() {
        const { tab } = yield* Browser
        const { admin: other, create, lookupds, nsqds: [first] } = yield* startCluster()
        yield* other.stop
        const third = yield* freezable(lookupds)
        yield* create("orders", "archive")
        for (const path of ["/topic/create?topic=orders", "/channel/create?topic=orders&channel=archive"]) {
          yield* third.post(path)
        }
        yield* third.post("/mpub?topic=orders", "a\nb\nc")
        yield* request(`http://${first.http}/policies`, {
          method: "PUT",
          body: `{"match":"orders/archive","max_depth":2,"on_full":"dead_letter"}`
        })
        for (const body of ["a", "b", "c", "d", "e"]) yield* first.post("/pub?topic=orders", body)
        yield* until(first.get("/stats?format=json&topic=orders"), ({ text }) => text.includes(`"dead_letter_count":3`))

        // Replies as the second nsqlookupd.
        let isFrozen = false
        const lookupd = yield* fakeServer(({ url = "" }, response) => {
          if (isFrozen) return
          fetch(`http://${lookupds[1].http}${url}`).then(async (reply) => {
            response.statusCode = reply.status
            response.end(await reply.text())
          }, () => response.destroy())
        })
        const admin = yield* startAdmin({ lookupdHttpAddresses: [lookupds[0].http, lookupd] })
        const troubles = (address: string) =>
          admin.log.filter((line) => / (?:WARNING|ERROR): /.test(line) && line.includes(address))
        const isNoted = (address: string) => until(Effect.sync(() => troubles(address)), (found) => found.length > 0)
        const view = yield* tab(admin.url)
        yield* view.open("/")
        yield* view.act(() => row(view, "orders").getByText("5", { exact: true }).first().waitFor())
        isFrozen = true
        yield* isNoted(lookupd)
        yield* third.freeze
        yield* isNoted(third.http)

        for (let load = 0; load < 2; load++) {
          yield* view.open("/topics/orders/archive")
          yield* view.act((page) => page.getByRole("link", { name: "Dead letters: 3" }).waitFor({ timeout }))
          yield* view.act((page) => page.getByRole("button", { name: "Pause channel" }).waitFor({ timeout }))
          yield* view.act(() => row(view, new RegExp(third.http)).getByText(/stale/).waitFor({ timeout }))
          yield* view.open(`/messages/orders/archive?node=${first.http}`)
          yield* view.act((page) => page.getByText("2 messages").waitFor({ timeout }))
          yield* view.open("/policies")
          yield* view.act((page) => page.getByRole("cell", { name: /max_depth: 2/ }).waitFor({ timeout }))
          yield* view.open(`/nodes/${first.http}`)
          yield* view.act((page) => page.locator("summary", { hasText: "orders" }).first().waitFor({ timeout }))
          yield* view.open("/nodes")
          yield* view.act(() => row(view, new RegExp(first.http)).waitFor({ timeout }))
          yield* view.open(`/nodes/${third.http}`)
          yield* view.act(() => row(view, "orders / archive").getByText("3", { exact: true }).waitFor({ timeout }))
          yield* view.open("/lookup")
          yield* view.act((page) => page.getByText(/Every topic in the nsqlookupds that respond/).waitFor({ timeout }))
        }
        // The sampler's line, and at most that of the first request of a page that failed.
        for (const address of [lookupd, third.http]) {
          assert.lengthOf(troubles(address).filter((line) => line.includes("is unreachable")), 1)
          assert.isAtMost(troubles(address).length, 2, troubles(address).join("\n"))
        }

        yield* view.open("/topics/orders/archive")
        yield* third.thaw
        isFrozen = false
        const isBack = (address: string) =>
          until(Effect.sync(() => admin.log.some((line) => line.includes(`${address} is reachable again`))), Boolean)
        yield* isBack(lookupd)
        yield* isBack(third.http)
        yield* view.act(() => row(view, new RegExp(third.http)).getByText(/stale/).waitFor({ state: "detached" }))
      }),
    120_000
  )
})
