//! Examples in the help of each command: lines that can be pasted. A test holds that each is understood.

macro_rules! examples {
    ($($name:ident: $($line:literal)+;)+) => {
        $(pub(crate) const $name: &str = concat!("Examples:", $("\n  zarrange ", $line),+);)+
    };
}

examples! {
    DEMO:
        "demo"
        "demo --dir /tmp/demo --objects 1000 --epochs 200 --overwrite";
    RECHUNK:
        "rechunk by-epoch.zarr by-object.zarr --chunks object=20,epoch=-1 --verify full"
        "rechunk by-epoch.zarr sharded.zarr --chunks object=20,epoch=-1 --shards object=1000,epoch=-1 --max-mem 256MB"
        "rechunk by-epoch.zarr both-ways.zarr --for epoch=0.2,object=0.8 --dry-run"
        "rechunk group.zarr out.zarr --chunks mag:64,-1 time:64,-1 --codecs zstd:9 --only-named";
    PLAN:
        "plan by-epoch.zarr by-object.zarr --chunks object=20,epoch=-1 --max-mem 8GB --threads 16 --out plan.json"
        "plan by-epoch.zarr by-object.zarr --chunks object=20,epoch=-1 --simulate workers=1000,store=s3";
    RUN:
        "run plan.json"
        "run plan.json --json --progress never";
    WORKER:
        "worker plan.json --stage 0 --part 0/4"
        "worker plan.json --status";
    FINISH:
        "finish plan.json"
        "finish plan.json --give-up";
    VERIFY:
        "verify by-epoch.zarr by-object.zarr"
        "verify before.zarr after.zarr --nan-payloads --max-mem 2GB --json";
    DIGEST:
        "digest by-object.zarr"
        "digest group.zarr --json --threads 4";
    ADVISE:
        "advise --sample by-epoch.zarr --mix epoch=0.2,object=0.8"
        "advise --shape 1000000,1000 --dtype f4 --mix object=5000/day,write:epoch=20/day --reader xarray --profile object"
        "advise --sample group.zarr/mag --mix object~50=0.5,epoch=0.5 --max-files 2000 --json";
    INFO:
        "info by-object.zarr"
        "info group.zarr --json";
    PROBE:
        "probe /data --out data.json"
        "probe /scratch --name scratch --seconds 60 --direct --out scratch.json --overwrite";
    COMPLETIONS:
        "completions bash > ~/.local/share/bash-completion/completions/zarrange"
        "completions zsh > ~/.zfunc/_zarrange";
    MAN:
        "man ~/.local/share/man/man1"
        "man pages";
    INGEST:
        "lightcurve ingest measurements.csv.gz curves.zarr"
        "lightcurve ingest table.parquet curves.zarr --columns band=filter magerr=err --chunks 1,-1";
    CREATE:
        "lightcurve create survey.zarr --objects objects.csv --epochs 500 --measurements bands.csv --unit nJy"
        "lightcurve create survey.zarr --objects 100000 --epochs epochs.csv --for epoch=0.2,object=0.8 --timescale TDB";
    APPEND:
        "lightcurve append survey.zarr --epochs 30"
        "lightcurve append survey.zarr --epochs new-epochs.csv --json";
    COPY:
        "lightcurve rechunk survey.zarr by-object.zarr"
        "lightcurve rechunk survey.zarr by-object.zarr --layout object-optimized:100 --codecs zstd:9 --max-mem 2GB";
    SYNC:
        "lightcurve sync by-object.zarr"
        "lightcurve sync by-object.zarr --source survey.zarr --verify digest";
    FILL:
        "lightcurve fill survey.zarr night-1.csv night-2.parquet"
        "lightcurve fill survey.zarr g.fits --at epoch=gr0007 measurement=g --columns object=NUMBER flux=FLUX_AUTO"
        "lightcurve fill survey.zarr night.csv --replace --rejected rejected.csv";
    GET:
        "lightcurve get survey.zarr --object star-42"
        "lightcurve get survey.zarr --cone 150.1,2.2,5arcsec --measurement g r --out curves.parquet"
        "lightcurve get survey.zarr --number 42 --measurement g --plot curve.svg --fold 0.57";
    OF_STORE:
        "lightcurve info survey.zarr"
        "lightcurve info survey.zarr --json";
    OF_READS:
        "lightcurve advise survey.zarr"
        "lightcurve advise survey.zarr --for object=0.9,epoch=0.1 --fix measurement=1 --reader tensorstore";
}
