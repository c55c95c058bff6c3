/** The OpenAPI documents: every route of the daemons, with examples that their Schemas accept. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { httpPages } from "../../scripts/docs/httpPages.ts"
import { apis, documents } from "../../scripts/docs/openapi/apis.ts"
import { pathOf } from "../../scripts/docs/openapi/document.ts"
import type { Api, Endpoint } from "../../scripts/docs/openapi/Endpoint.ts"
import * as AdminRoutes from "../../src/services/nsqadmin/AdminRoutes.ts"
import * as Endpoints from "../../src/services/nsqadmin/Endpoints.ts"
import * as NsqdHttp from "../../src/services/nsqd/http/NsqdHttp.ts"
import * as LookupHttp from "../../src/services/nsqlookupd/LookupHttp.ts"
import { Registrations } from "../../src/services/nsqlookupd/Registrations.ts"
import { Watches } from "../../src/services/nsqlookupd/Watches.ts"
import * as NsqdApi from "../services/nsqd/http/api.ts"

const namesOf = (routes: ReadonlyArray<{ readonly method: string; readonly path: string }>) =>
  routes.map(({ method, path }) => `${method} ${path}`).toSorted()

/** Error codes of every request, or of the daemon that is behind nsqadmin. */
const general = ["METHOD_NOT_ALLOWED", "NOT_FOUND", "TLS_REQUIRED"]

/** The content of an endpoint that has an example which its Schema does not accept. */
const wrongExamples = ({ endpoints }: Api): ReadonlyArray<string> =>
  endpoints.flatMap(({ body, method, path, response }) =>
    [body, response]
      .filter((content) => content?.example !== undefined && !content.isValid(content.example))
      .map((content) => `${method} ${path}: ${content?.description}`)
  )

/** The names of a path's parameters that the endpoint does not describe, and those that it describes and the path does not have. */
const wrongParameters = ({ method, parameters = [], path }: Endpoint): ReadonlyArray<string> => {
  const inPath = Array.from(path.matchAll(/:(\w+)/g), ([, name = ""]) => name).toSorted()
  const described = parameters.filter((parameter) => parameter.in === "path").map(({ name }) => name).toSorted()
  return inPath.join() === described.join() ? [] : [`${method} ${path}`]
}

describe("the OpenAPI documents", () => {
  it.live("nsqd's has every route of nsqd, and no other", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(namesOf(apis.nsqd.endpoints), namesOf(yield* NsqdHttp.allRoutes))
    }).pipe(Effect.provide(NsqdApi.layer({ httpAddress: "" }))))

  it.live("nsqlookupd's has every route of nsqlookupd, and no other", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(namesOf(apis.nsqlookupd.endpoints), namesOf(yield* LookupHttp.allRoutes))
    }).pipe(Effect.provide(Watches.layer.pipe(Layer.provideMerge(Registrations.layer)))))

  it("nsqadmin's has every route of nsqadmin, and no other", () => {
    const routes = [...Endpoints.ofApi(), ...AdminRoutes.endpoints(true)]
    assert.deepStrictEqual(namesOf(apis.nsqadmin.endpoints), namesOf(routes))
  })

  it("every example is what its Schema accepts, and every parameter of a path is described", () => {
    for (const api of Object.values(apis)) {
      assert.deepStrictEqual(wrongExamples(api), [])
      assert.deepStrictEqual(api.endpoints.flatMap(wrongParameters), [])
    }
  })

  it("they have every error code that docs/protocol/http.md names", () => {
    const text = readFileSync(join(import.meta.dirname, "../../docs/protocol/http.md"), "utf8")
    const known = Object.values(apis).flatMap(({ endpoints }) =>
      endpoints.flatMap(({ failures = [] }) => failures.map(({ code }) => code.split(/[: ]/)[0] ?? ""))
    ).concat(general)
    const named = Array.from(text.matchAll(/`([A-Z]+(?:_[A-Z]+)+)[`:]/g), ([, code = ""]) => code)
    assert.isAbove(named.length, 50)
    assert.deepStrictEqual([...new Set(named)].filter((code) => !known.includes(code)), [])
  })

  it("every reference in a document leads to a component, and operations have ids of their own", () => {
    for (const [name, document] of documents()) {
      const text = JSON.stringify(document)
      const { components }: { components: { schemas: Record<string, unknown> } } = JSON.parse(text)
      for (const [, component = ""] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
        assert.property(components.schemas, component, name)
      }
      assert.notInclude(text, `"$defs"`)
      const ids = Array.from(text.matchAll(/"operationId":"(\w+)"/g), ([, id]) => id)
      assert.isAbove(ids.length, 20)
      assert.deepStrictEqual(ids.filter((id, i) => ids.indexOf(id) !== i), [], name)
    }
  })

  it("the page of each API has a heading for every current route, and names every error", () => {
    const pages = httpPages()
    for (const api of Object.values(apis)) {
      const page = pages.get(`http/${api.name}`) ?? ""
      for (const { failures = [], isDeprecated, method, path } of api.endpoints) {
        if (isDeprecated !== true) assert.include(page, `\n### ${method} ${path}\n`)
        for (const { code } of failures) assert.include(page, `\`${code}\``)
      }
    }
    assert.strictEqual(pathOf("/api/topics/:topic/:channel"), "/api/topics/{topic}/{channel}")
  })
})
