# `voxloom demo` works from any folder and can be run again.
for _ in 1 2; do
  voxloom demo --quiet >out.txt
  grep -q 'voxloom-demo/ventricles.png' out.txt
  for f in ventricles.nii.gz ventricles.json ventricles.png; do [ -s "voxloom-demo/$f" ]; done
done
voxloom data info voxloom-demo/ventricles.nii.gz >info.txt
grep -q '"max": 1.0' info.txt
