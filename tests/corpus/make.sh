#!/bin/sh
# Makes the files that programs of the shell write, in the folder `files`; node make.mjs makes the others.
set -e
export LC_ALL=C.UTF-8
mkdir -p files/tree/in
cd files
jq -n --arg s 'Zoë' '{s: $s, n: 12345678901234567890, big: 1e400, tiny: 1e-400, deep: [[[]]]}' > jq.json
jq -n --tab '{a: 1.10, b: {c: [1, 2]}}' > jq-tab.json
perl -MJSON::PP -e 'print JSON::PP->new->canonical->pretty->ascii->encode({
    s => "Zo\x{eb} \x{1f600}", n => 1.5, l => [JSON::PP::true, undef]})' > perl.json
ruby -rjson -e 'print JSON.pretty_generate({"s"=>"Zoë\u2028","n"=>1e20,"l"=>[nil,true]})' > ruby.json
sqlite3 :memory: -json "select 'Zoë' as name, 1 as n union all select null, 2.5" > sqlite3.json
sqlite3 :memory: -csv -header "select 'Oslo' as city, 'a \"b\", c' as said, 1.5 as n
    union all select '', 'two' || char(10) || 'lines', null" > sqlite3.csv
ruby -rcsv -e 'print CSV.generate{|c| c << ["a","b"]; c << ["x,y",nil]; c << ["say \"q\"",""]}' > ruby.csv
ruby -ryaml -e 'print({"name"=>"Zoë", "time"=>"22:22", "yes"=>"yes", "no"=>nil, "list"=>[1,[2.5,{"a"=>"b"}]],
    "lines"=>"one\ntwo\n", "mode"=>0644, "text"=>"1"}.to_yaml)' > ruby.yaml
rm -f git.ini
git config -f git.ini core.name 'Zoë'
git config -f git.ini core.path 'a b'
git config -f git.ini 'remote.x/y.url' 'https://example.org/1'

printf 'one\n' > tree/a.txt
printf 'two' > tree/in/Zoë.txt
ln -s a.txt tree/link
ln tree/a.txt tree/hard
touch -d 2026-01-02T00:00Z tree/a.txt tree/in/*
for format in gnu pax ustar v7; do
    tar --format=$format --sort=name --owner=0 --group=0 --numeric-owner --record-size=512 -cf gnu-$format.tar -C tree .
done
tar --format=gnu --sort=name --owner=0 --group=0 --numeric-owner --record-size=512 --listed-incremental=snapshot \
    -cf gnu-incremental.tar -C tree .
rm snapshot
printf 'one' > tree/holes
truncate -s 64K tree/holes
printf 'two' >> tree/holes
tar --format=pax --sparse --owner=0 --group=0 --numeric-owner --record-size=512 -cf gnu-sparse.tar -C tree holes
rm tree/holes
for format in pax zip; do
    bsdtar --format $format --uid 0 --gid 0 -cf bsdtar.$(echo $format | sed s/pax/tar/) -C tree a.txt in link hard
done
tar -czf gnu.tar.gz --owner=0 --group=0 --numeric-owner -C tree a.txt in
perl -MArchive::Tar -e '$t = Archive::Tar->new; $t->add_data("a.txt", "one\n"); $t->add_data("in/b.txt", "two");
    $t->write("perl.tar")'
rm -f *.zip 7zip.tar
(
    cd tree
    zip -q ../infozip.zip a.txt in/Zoë.txt
    LC_ALL=C zip -q -X ../infozip-unmarked.zip in/Zoë.txt
    zip -q -X -0 ../infozip-stored.zip a.txt
    zip -q -X -y ../infozip-links.zip a.txt link
    printf 'one\n' | zip -q ../infozip-stream.zip -
)
7zz a -tzip 7zip.zip ./tree/a.txt ./tree/in > /dev/null
yes one | head -n 1000 | 7zz a -tzip -mm=lzma -sione.txt 7zip-lzma.zip > /dev/null
yes one | head -n 1000 | 7zz a -tzip -mm=deflate64 -sione.txt 7zip-deflate64.zip > /dev/null
yes one | head -n 1000 | 7zz a -tzip -psecret -sione.txt 7zip-encrypted.zip > /dev/null
7zz a -ttar 7zip.tar ./tree/a.txt ./tree/in > /dev/null
rm -r tree

printf '{"a": [1, "Zoë"]}\n' > plain.json
gzip -nkf9 plain.json
bzip2 -kf plain.json
xz -kf plain.json
zstd -qkf plain.json
lz4 -qkf plain.json plain.json.lz4
base64 plain.json > plain.json.b64
(printf '[1,' | gzip -n; printf '2]' | gzip -n) > members.json.gz
flac --silent -f --no-padding node.wav -o flac.flac
