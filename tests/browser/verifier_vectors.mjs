// What the golden vectors of tests/vectors/ledger-v1 ask of the page's modules; the test puts these before it.
async vectors => {
    //@MODULES@
    const {Refused, fromHex, toHex, utf8} = bytes_module;
    const {parseCanonical, canonical} = canonical_module;
    const {Edge, leafHash, verifyInclusion, verifyConsistency} = merkle_module;
    const {parseKey, parseCheckpoint, verifyCheckpoint, parseReceipt} = note_module;
    const {Introductions} = introductions_module;
    const wrong = [];
    const expect = async (name, accepted, work) => {
        let refused = null;
        try {
            await work();
        } catch (error) {
            if (!(error instanceof Refused)) throw error;
            refused = error.message;
        }
        if ((refused === null) !== accepted) wrong.push(`${name}: ${refused ?? "accepted"}`);
    };
    const same = (one, other) => {
        if (one !== other) throw new Refused(`${one} is not ${other}`);
    };
    const all = async (name, {accept, refuse}, work) => {
        for (const [at, item] of accept.entries()) await expect(`${name} ${at}`, true, () => work(item));
        for (const [at, item] of refuse.entries()) await expect(`${name}, not ${at} (${item.why ?? item.reason})`, false, () => work(item));
    };
    const term = text => ({key: parseKey(text), first: 0, last: null});

    await all("canonical", vectors.canonical, ({hex, value}) => {
        const found = parseCanonical(fromHex(hex));
        if (value !== undefined) same(canonical(found), canonical(value));
    });
    await all("entry", vectors.entries, item => {
        const data = item.hex ? fromHex(item.hex) : utf8(item.entry);
        entry_module.parseEntry(data);
        if (item.leaf_hash) same(toHex(leafHash(data)), item.leaf_hash);
    });
    for (const {verifier_key: text} of vectors.keys.note_keys) await expect(`key ${text}`, true, () => parseKey(text));
    for (const {verifier_key: text, why} of vectors.keys.refuse) await expect(`key ${text} (${why})`, false, () => parseKey(text));
    const {checkpoints, trees, receipts, introductions} = vectors;
    await all("checkpoint", checkpoints, async item => {
        const claim = parseCheckpoint(item.hex ? fromHex(item.hex) : utf8(item.note));
        await verifyCheckpoint(claim, [term(checkpoints.log_key)], [parseKey(checkpoints.witness_key)], item.quorum ?? 0);
        if (item.root) same(bytes_module.toBase64(claim.root), item.root);
        if (item.size !== undefined) same(String(claim.size), String(item.size));
    });
    const bytes = items => items.map(fromHex);
    for (const {size, root} of trees.roots) {
        const edge = new Edge();
        for (let leaf = 0; leaf < size; leaf++) edge.append(leafHash(utf8(String(leaf))));
        await expect(`root of ${size}`, true, () => same(toHex(edge.root()), root));
    }
    for (const {size, hashes} of trees.compact_ranges) {
        const {root} = trees.roots.find(one => one.size === size);
        await expect(`right edge of ${size}`, true, () => same(toHex(new Edge(size, bytes(hashes)).root()), root));
    }
    const inclusion = item => verifyInclusion(fromHex(item.leaf_hash), item.index, item.size, bytes(item.proof), fromHex(item.root));
    await all("inclusion", {accept: trees.inclusion, refuse: trees.inclusion_refuse}, inclusion);
    const consistency = item => verifyConsistency(item.size1, item.size2, fromHex(item.root1), fromHex(item.root2), bytes(item.proof));
    await all("consistency", {accept: trees.consistency, refuse: trees.consistency_refuse}, consistency);
    await all("receipt", receipts, async item => {
        const receipt = parseReceipt(item.receipt), data = item.entry_hex ? fromHex(item.entry_hex) : utf8(item.entry);
        const claim = parseCheckpoint(receipt.checkpoint);
        await verifyCheckpoint(claim, [term(receipts.log_key)]);
        verifyInclusion(leafHash(data), receipt.index, claim.size, receipt.hashes, claim.root);
        const entry = entry_module.parseEntry(data);
        if (BigInt(entry.index) !== receipt.index || entry.origin !== claim.origin) throw new Refused("entry names another place");
    });
    const follow = async texts => {
        const followed = new Introductions(null, introductions.origin, introductions.keys.map(parseKey));
        const chain = [];
        for (const text of texts) chain.push({...await followed.follow(text, chain)});
        followed.chain = chain;
        return followed;
    };
    const led = await follow(introductions.introductions);
    for (const {introductions: texts, why} of introductions.refuse) {
        await expect(`introductions (${why})`, false, () => follow(texts));
    }
    led.keys = [parseKey(introductions.keys[0])];
    for (const {note, reason} of introductions.heads) {
        await expect(`head (${reason})`, reason === null, () => verifyCheckpoint(parseCheckpoint(utf8(note)), led.terms()));
    }
    return wrong;
}
